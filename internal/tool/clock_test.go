package tool_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/tool"
)

func TestCurrentTime(t *testing.T) {
	t.Parallel()
	const utc = "It is 12:00:05 on Wednesday, 25 November 2026 (UTC)."
	const berlin = "It is 13:00:05 on Wednesday, 25 November 2026 (Europe/Berlin, UTC+01:00)."
	for _, c := range []struct{ context, place, want string }{
		{`{}`, "", utc + " Your own time zone is not known: your context has no timezone."},
		{`{"timezone":"Europe/Berlin"}`, "", berlin},
		{`{"timeZone":"europe/berlin"}`, "", berlin},
		{`{"timezone":""}`, "", utc + " Your own time zone is not known: your context has no timezone."},
		{`{"timezone":5}`, "", utc + " Your own time zone is not known: your context has no timezone."},
		{`{"timezone":"Mars/Olympus"}`, "", utc + ` The timezone of your context is not known: "Mars/Olympus".`},
		{`{"timezone":"../../etc/passwd"}`, "", utc + ` The timezone of your context is not known: "../../etc/passwd".`},
		{`{"timezone":"Local"}`, "", utc + ` The timezone of your context is not known: "Local".`},
		{`{"timezone":"Europe/Berlin"}`, "UTC", utc},
		{`{}`, "Asia/Tokyo", "It is 21:00:05 on Wednesday, 25 November 2026 (Asia/Tokyo, UTC+09:00)."},
		{`{}`, "new york", "It is 07:00:05 on Wednesday, 25 November 2026 (America/New_York, UTC-05:00)."},
		{`{}`, "port-au-prince", "It is 07:00:05 on Wednesday, 25 November 2026 (America/Port-au-Prince, UTC-05:00)."},
		{`{}`, "Mumbai", "It is 17:30:05 on Wednesday, 25 November 2026 (Asia/Kolkata, UTC+05:30)."},
		{`{}`, "SYDNEY", "It is 23:00:05 on Wednesday, 25 November 2026 (Australia/Sydney, UTC+11:00)."},
		{`{}`, "kiritimati", "It is 02:00:05 on Thursday, 26 November 2026 (Pacific/Kiritimati, UTC+14:00)."},
		{`{}`, "Narnia", `error: There is no time zone or city called "Narnia" in the table: name a zone such as Europe/Berlin.`},
		{`{}`, "local", `error: There is no time zone or city called "local" in the table: name a zone such as Europe/Berlin.`},
		{`{}`, "Europe", `error: There is no time zone or city called "Europe" in the table: name a zone such as Europe/Berlin.`},
		{`{}`, strings.Repeat("x", 100), `error: There is no time zone or city called "` + strings.Repeat("x", 40) + `…" in the table: name a zone such as Europe/Berlin.`},
	} {
		s := newStore()
		session := pam.Session{User: "anna", ID: pam.DefaultSession}
		s.contexts[session] = c.context
		args, err := json.Marshal(map[string]string{"place": c.place})
		if err != nil {
			t.Fatal(err)
		}
		line, err := tool.NewCurrentTime(noon, s).Call(t.Context(), session, args)
		if got := lineOr(t, line, err); got != c.want {
			t.Errorf("%s, place %q\n got  %s\n want %s", c.context, c.place, got, c.want)
		}
	}
}
