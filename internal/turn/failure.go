package turn

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pam-assistant/pam"
)

// failure returns what the journal keeps of err; nil for nil.
func failure(err error) *pam.Failure {
	if err == nil {
		return nil
	}
	f := &pam.Failure{Code: pam.CodeOf(err)}
	if e, ok := errors.AsType[*pam.Error](err); ok {
		f.Message, f.Hint = e.Message, e.Hint
	}
	return f
}

// panicked is the error of a panic of op: the stack is for the log.
func panicked(op string, value any, stack []byte) error {
	const most = 4 << 10
	if len(stack) > most {
		stack = stack[:most]
	}
	return &pam.Error{Code: pam.CodeInternal, Op: op, Err: fmt.Errorf("panic: %v\n%s", value, stack)}
}

// level is how loud a failure is: what the operator must mend is a warning,
// what PAM must mend an error.
func level(code pam.Code) slog.Level {
	if code == pam.CodeInternal {
		return slog.LevelError
	}
	return slog.LevelWarn
}

func logged(x *run, err error) []slog.Attr {
	return []slog.Attr{
		slog.String("user", string(x.key.User)),
		slog.String("conversation", string(x.key.Conversation)),
		slog.String("turn", string(x.turn.ID)),
		slog.String("model", x.Model.Name()),
		slog.String("code", pam.CodeOf(err).String()),
		slog.String("error", err.Error()),
	}
}

// late is the error of a deadline: the sentence says what was waited for.
func late(op, sentence string) error {
	return &pam.Error{Code: pam.CodeProviderTimeout, Op: op, Message: sentence}
}

// spell returns d in words, as a sentence wants it.
func spell(d time.Duration) string {
	n, unit := int64(d/time.Second), "second"
	switch {
	case d%time.Second != 0:
		return d.String()
	case d >= 2*time.Minute && d%time.Minute == 0:
		n, unit = int64(d/time.Minute), "minute"
	}
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}
