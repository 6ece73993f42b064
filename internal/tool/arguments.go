package tool

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// decode reads the arguments of a call, strictly: an unknown or doubled name,
// a wrong type and bad UTF-8 are faults that name what was wrong. No arguments
// at all are an empty object, since models send either.
func decode[T any](args stdjson.RawMessage) (T, error) {
	var v T
	text := strings.TrimSpace(string(args))
	if text == "" || text == "null" {
		return v, nil
	}
	if text[0] != '{' {
		return v, fault("The arguments must be a JSON object.")
	}
	err := json.Unmarshal([]byte(text), &v, json.RejectUnknownMembers(true))
	if err == nil {
		return v, nil
	}
	return v, argumentFault(err)
}

func argumentFault(err error) fault {
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		name := quote(strings.TrimPrefix(string(semantic.JSONPointer), "/"))
		switch {
		case errors.Is(err, json.ErrUnknownName):
			return fault("There is no argument called " + name + ".")
		case semantic.GoType != nil:
			return fault(fmt.Sprintf("The argument %s must be %s.", name, kindName(semantic.GoType)))
		}
		return fault("The argument " + name + " has the wrong type.")
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok && errors.Is(err, jsontext.ErrDuplicateName) {
		return fault("An argument is there twice: " + quote(strings.TrimPrefix(string(syntactic.JSONPointer), "/")) + ".")
	}
	return fault("The arguments are not a valid JSON object.")
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	}
	return "of another type"
}
