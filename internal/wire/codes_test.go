package wire_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// protocolCloses is the table of "Accept, then explain", written down a second
// time: what closes, by which code, and what the client should do then. The
// advice is what a client does by itself; "wait" and "back off" are how it
// connects again, "not resend" and "mend itself" are for its author.
func protocolCloses() map[wire.CloseCode]struct {
	codes  string
	advice wire.Advice
} {
	return map[wire.CloseCode]struct {
		codes  string
		advice wire.Advice
	}{
		1000: {"", wire.Stop},
		1001: {"going_away", wire.Reconnect},
		1002: {"protocol_error", wire.Mend},
		1003: {"binary_frame", wire.Mend},
		1007: {"invalid_utf8", wire.Mend},
		1009: {"frame_too_large", wire.Mend},
		1011: {"internal", wire.Reconnect},
		1013: {"overloaded", wire.Reconnect},
		4400: {"bad_frame", wire.Mend},
		4401: {
			"token_missing token_expired token_not_yet_valid token_malformed token_bad_signature" +
				" token_wrong_audience token_wrong_issuer ticket_invalid auth_timeout jwks_unavailable", wire.Renew,
		},
		4403: {"origin_not_allowed user_mismatch", wire.Stop},
		4408: {"heartbeat_timeout", wire.Reconnect},
		4409: {"too_many_connections", wire.Stop},
		4429: {"rate_limited", wire.Reconnect},
	}
}

// protocolOpen lists the errors that never close.
func protocolOpen() string {
	return "unknown_type invalid not_found id_conflict busy conversation_deleted epoch_changed" +
		" provider_unavailable provider_auth provider_rate_limited provider_quota provider_timeout provider_protocol" +
		" context_too_long answer_too_long content_filtered store_unavailable store_full"
}

// protocolStatuses is the list of "By HTTP", and below it what the protocol
// leaves to us: what a request by HTTP cannot meet, or meets in an answer only.
func protocolStatuses() map[int]string {
	return map[int]string{
		400: "bad_frame unknown_type invalid" + " protocol_error binary_frame invalid_utf8",
		401: "token_missing token_expired token_not_yet_valid token_malformed token_bad_signature token_wrong_audience token_wrong_issuer ticket_invalid auth_timeout",
		403: "origin_not_allowed user_mismatch",
		404: "not_found",
		408: "heartbeat_timeout",
		409: "id_conflict busy",
		410: "conversation_deleted epoch_changed",
		413: "frame_too_large",
		429: "rate_limited" + " too_many_connections",
		500: "internal",
		502: "provider_unavailable provider_auth provider_rate_limited provider_quota provider_protocol" + " context_too_long answer_too_long content_filtered",
		503: "overloaded going_away jwks_unavailable store_unavailable",
		504: "provider_timeout",
		507: "store_full",
	}
}

// TestMeaningCloses holds the close codes and the advice against the protocol's
// table, in both directions.
func TestMeaningCloses(t *testing.T) {
	t.Parallel()
	want := map[string]wire.CloseCode{}
	for closing, row := range protocolCloses() {
		if got := wire.AfterClose(closing); got != row.advice {
			t.Errorf("after %d: %v, want %v", closing, got, row.advice)
		}
		for code := range strings.FieldsSeq(row.codes) {
			want[code] = closing
			advice := row.advice
			if code == "jwks_unavailable" { // "ours: back off"
				advice = wire.Reconnect
			}
			if got := wire.AfterError(codeNamed(t, code)); got != advice {
				t.Errorf("after %s: %v, want %v", code, got, advice)
			}
		}
	}
	for code := range strings.FieldsSeq(protocolOpen()) {
		want[code] = 0
		if got := wire.AfterError(codeNamed(t, code)); got != wire.Stay {
			t.Errorf("after %s: %v, want %v", code, got, wire.Stay)
		}
	}
	got := map[string]wire.CloseCode{}
	for _, code := range pam.Codes() {
		got[code.String()] = wire.Meaning(code).Close
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestAfterCloseOfOthers holds what a client does after what PAM never sends: a
// proxy's code, or none.
func TestAfterCloseOfOthers(t *testing.T) {
	t.Parallel()
	for _, code := range []wire.CloseCode{0, 1005, 1006, 1008, 1012, 1014, 1015, 3000, 4000, 4999} {
		if got := wire.AfterClose(code); got != wire.Reconnect {
			t.Errorf("after %d: %v, want %v", code, got, wire.Reconnect)
		}
	}
}

// TestMeaningStatuses holds the statuses against the protocol's list, in both
// directions.
func TestMeaningStatuses(t *testing.T) {
	t.Parallel()
	want, got := map[string]int{}, map[string]int{}
	for status, codes := range protocolStatuses() {
		for code := range strings.FieldsSeq(codes) {
			want[code] = status
		}
	}
	for _, code := range pam.Codes() {
		got[code.String()] = wire.Meaning(code).Status
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestMeaningIsWhole holds that every code has a row of its own, with sentences
// for both of its readers and an exit code that the command line knows.
func TestMeaningIsWhole(t *testing.T) {
	t.Parallel()
	seen := map[string]pam.Code{}
	for _, code := range pam.Codes() {
		m := wire.Meaning(code)
		if other, twice := seen[m.Message]; twice {
			t.Errorf("%v says what %v says: it has no row of its own", code, other)
		}
		seen[m.Message] = code
		for _, sentence := range []string{m.Message, m.Hint} {
			if !strings.HasSuffix(sentence, ".") || strings.TrimSpace(sentence) != sentence || !unicode.IsUpper([]rune(sentence + "x")[0]) {
				t.Errorf("%v: %q is no sentence", code, sentence)
			}
			if strings.ContainsFunc(sentence, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%v: %q does not fit on a line", code, sentence)
			}
		}
		if m.Exit < 1 || m.Exit > 4 {
			t.Errorf("%v: exit %d", code, m.Exit)
		}
	}
	internal := wire.Meaning(pam.CodeInternal)
	for _, unknown := range []pam.Code{0, pam.Code(len(pam.Codes()) + 1), 255} {
		if got := wire.Meaning(unknown); got != internal {
			t.Errorf("%v means %+v, want internal", unknown, got)
		}
	}
}

// TestExits holds which failures a script can tell apart.
func TestExits(t *testing.T) {
	t.Parallel()
	got := map[int][]string{}
	for _, code := range pam.Codes() {
		if m := wire.Meaning(code); m.Exit != 1 {
			got[m.Exit] = append(got[m.Exit], code.String())
		}
	}
	want := map[int][]string{
		2: strings.Fields("going_away heartbeat_timeout jwks_unavailable"),
		3: strings.Fields("token_missing token_expired token_not_yet_valid token_malformed token_bad_signature token_wrong_audience token_wrong_issuer ticket_invalid auth_timeout origin_not_allowed user_mismatch"),
		4: {"invalid"},
	}
	for _, names := range slices.Collect(maps.Values(want)) {
		slices.Sort(names)
	}
	for _, names := range slices.Collect(maps.Values(got)) {
		slices.Sort(names)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestAdviceNames holds that each advice has a name, for a log.
func TestAdviceNames(t *testing.T) {
	t.Parallel()
	for advice, want := range map[wire.Advice]string{
		0: "none", wire.Stop: "stop", wire.Reconnect: "reconnect", wire.Renew: "renew", wire.Mend: "mend", wire.Stay: "stay", 99: "none",
	} {
		if got := advice.String(); got != want {
			t.Errorf("advice %d is named %q, want %q", advice, got, want)
		}
	}
}

func codeNamed(t *testing.T, name string) pam.Code {
	t.Helper()
	var code pam.Code
	if err := code.UnmarshalText([]byte(name)); err != nil {
		t.Fatal(err)
	}
	return code
}
