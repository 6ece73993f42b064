package gateway

import (
	"errors"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/lifecycle"
)

// GoneError is what comes of a send on a connection that has ended.
type GoneError struct{ Cause lifecycle.Cause }

// Error implements error.
func (e *GoneError) Error() string { return "gateway: the connection has ended: " + e.Cause.String() }

// asError returns err as what a client is told: the first *pam.Error in its
// chain, else internal.
func asError(err error) *pam.Error {
	if e, ok := errors.AsType[*pam.Error](err); ok {
		return e
	}
	return &pam.Error{Code: pam.CodeInternal, Err: err}
}
