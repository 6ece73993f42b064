package lifecycle

// Phase is a state as others see it. It is opaque and cannot be compared, with
// a number, a text or another Phase: ask it a question instead. The zero Phase
// is that of no connection; every question is answered with no.
type Phase struct {
	_  [0]func() // makes == a compile error
	at at
}

// at numbers the phases. It is not exported, and no Phase converts to it.
type at uint8

const (
	atConnecting at = iota + 1
	atConnected
	atAuthenticated
	atDraining
	atDisconnected
)

// Open reports whether frames may be sent: accepted, and not ended.
func (p Phase) Open() bool { return p.at >= atConnected && p.at < atDisconnected }

// Served reports whether the connection is somebody's and its requests are
// served: authenticated or draining.
func (p Phase) Served() bool { return p.at == atAuthenticated || p.at == atDraining }

// Draining reports whether the connection ends as soon as it is idle.
func (p Phase) Draining() bool { return p.at == atDraining }

// Ended reports whether the connection is over.
func (p Phase) Ended() bool { return p.at == atDisconnected }

// String returns the phase's name, for logs and the flight recorder.
func (p Phase) String() string {
	switch p.at {
	case atConnecting:
		return "connecting"
	case atConnected:
		return "connected"
	case atAuthenticated:
		return "authenticated"
	case atDraining:
		return "draining"
	case atDisconnected:
		return "disconnected"
	}
	return "none"
}

// MarshalText writes the phase's name.
func (p Phase) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
