package lifecycle

import "github.com/pam-assistant/pam"

// Cause is why a connection ended. Every end has exactly one.
type Cause struct {
	// Code is what went wrong; zero where the peer closed or the network
	// failed and nothing else is known. internal/wire says which close code
	// it is.
	Code pam.Code
	By   By
	// Peer is the close code that the peer sent; zero where it sent none,
	// wire.CloseNoStatus where its close frame was empty.
	Peer uint16
	// Detail says more, for the log and the flight recorder. Where it has
	// words of the peer (its reason) they are as it sent them: escape them.
	Detail string
}

// String returns the cause in one word or two: "heartbeat_timeout", "client
// close", "network". It has a bounded number of values, so that ends can be
// counted by it.
func (c Cause) String() string {
	if c.Code != 0 {
		return c.Code.String()
	}
	if c.By == ByClient {
		return "client close"
	}
	return c.By.String()
}

// By says who ended a connection.
type By uint8

// The parties. The zero By is nobody.
const (
	ByClient  By = iota + 1 // it sent a close frame
	ByServer                // it refused, gave up waiting, or shut down
	ByNetwork               // a read or a write failed
)

// String names the party.
func (b By) String() string {
	switch b {
	case ByClient:
		return "client"
	case ByServer:
		return "server"
	case ByNetwork:
		return "network"
	}
	return "nobody"
}

// MarshalText writes the party's name.
func (b By) MarshalText() ([]byte, error) { return []byte(b.String()), nil }
