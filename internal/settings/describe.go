package settings

import (
	"fmt"
	"log/slog"
	"reflect"
	"strings"
)

// Source says where a setting came from.
type Source uint8

// The sources. What nobody has set has its default.
const (
	SourceDefault Source = iota
	SourceFile
	SourceEnvironment
)

// String returns the word that `pam config` prints.
func (s Source) String() string {
	switch s {
	case SourceDefault:
		return "default"
	case SourceFile:
		return "file"
	case SourceEnvironment:
		return "env"
	}
	return "unknown"
}

// MarshalText returns the word that `pam config` prints.
func (s Source) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Line is a setting that is in force.
type Line struct {
	Name   string
	Value  string // secrets masked; empty: not set
	Source Source
}

// Describe lists every setting as it is in force, in the order of Settings'
// fields, secrets masked.
func (s *Settings) Describe() []Line {
	v := reflect.ValueOf(s).Elem()
	var lines []Line
	for _, f := range fields() {
		value := v.Field(f.index).Interface()
		text := fmt.Sprint(value)
		if level, ok := value.(slog.Level); ok {
			text = strings.ToLower(level.String())
		}
		lines = append(lines, Line{Name: f.name, Value: text, Source: s.sources[f.name]})
	}
	return lines
}
