package wire

import (
	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pam-assistant/pam"
)

// MergeContext returns what patch (RFC 7396) makes of a session's context, in
// compact JSON. Beyond MaxContext it is invalid.
func MergeContext(old, patch []byte) ([]byte, error) {
	merged, err := jsonpatch.MergePatch(old, patch)
	if err != nil {
		return nil, &pam.Error{Code: pam.CodeInvalid, Op: "wire.context", Detail: "context: is no merge patch", Err: err}
	}
	compact := jsontext.Value(merged)
	if err := compact.Compact(); err != nil {
		return nil, &pam.Error{Code: pam.CodeInvalid, Op: "wire.context", Detail: "context: is not JSON", Err: err}
	}
	if len(compact) > MaxContext {
		return nil, &pam.Error{Code: pam.CodeInvalid, Op: "wire.context", Detail: "context: is larger than 64 KiB as merged"}
	}
	return compact, nil
}
