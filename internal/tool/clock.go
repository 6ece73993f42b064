package tool

import (
	"context"
	stdjson "encoding/json"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pam-assistant/pam"
)

// Contexts is where a session's context is kept.
type Contexts interface {
	Context(ctx context.Context, session pam.Session) (pam.Context, error)
}

// CurrentTime is the tool that tells the time: in a place that is named, else
// in the zone of the session's context, else in UTC.
type CurrentTime struct {
	now      func() time.Time
	contexts Contexts
}

// NewCurrentTime returns the tool that reads the clock now.
func NewCurrentTime(now func() time.Time, contexts Contexts) *CurrentTime {
	return &CurrentTime{now: now, contexts: contexts}
}

// Spec says how current_time is called.
func (t *CurrentTime) Spec() pam.ToolSpec {
	return pam.ToolSpec{
		Name:        "current_time",
		Description: "Tells the present date, weekday and time, in the user's own time zone unless a place is named.",
		Parameters: stdjson.RawMessage(`{"type":"object","properties":{"place":{"type":"string",` +
			`"description":"An IANA time zone or a large city, for example: Asia/Tokyo. Leave it out for the user's own zone."}},` +
			`"additionalProperties":false}`),
		Repeatable: true,
	}
}

// Call returns a line: It is 14:05:07 on Wednesday, 25 November 2026
// (Europe/Berlin, UTC+01:00).
func (t *CurrentTime) Call(ctx context.Context, session pam.Session, args stdjson.RawMessage) (string, error) {
	a, err := decode[struct {
		Place *string `json:"place"`
	}](args)
	if err != nil {
		return "", refuse("tool.current_time", err)
	}
	if a.Place != nil && clean(*a.Place) != "" {
		location, err := findZone(*a.Place)
		if err != nil {
			return "", refuse("tool.current_time", err)
		}
		return tellTime(t.now().In(location)), nil
	}
	known, err := t.contexts.Context(ctx, session)
	if err != nil {
		return "", refuse("tool.current_time", err)
	}
	zone := zoneOf(known.JSON)
	if zone == "" {
		return tellTime(t.now().UTC()) + " Your own time zone is not known: your context has no timezone.", nil
	}
	location, ok := lookUpZone(zone)
	if !ok {
		return tellTime(t.now().UTC()) + " The timezone of your context is not known: " + quote(zone) + ".", nil
	}
	return tellTime(t.now().In(location)), nil
}

func tellTime(now time.Time) string {
	zone := now.Location().String()
	offset := "UTC" + now.Format("-07:00")
	if zone == "UTC" {
		return fmt.Sprintf("It is %s (UTC).", now.Format("15:04:05 on Monday, 2 January 2006"))
	}
	return fmt.Sprintf("It is %s (%s, %s).", now.Format("15:04:05 on Monday, 2 January 2006"), zone, offset)
}

// zoneOf returns the time zone that a context names, or "".
func zoneOf(context []byte) string {
	var known struct {
		Timezone  jsontext.Value `json:"timezone"`
		TimeZone  jsontext.Value `json:"timeZone"`
		TimeZone2 jsontext.Value `json:"time_zone"`
	}
	if err := json.Unmarshal(context, &known); err != nil {
		return "" // nothing that could be read is known
	}
	for _, v := range []jsontext.Value{known.Timezone, known.TimeZone, known.TimeZone2} {
		var zone string
		if v.Kind() == '"' && json.Unmarshal(v, &zone) == nil && clean(zone) != "" {
			return clean(zone)
		}
	}
	return ""
}
