package coatcheck

import (
	"context"
	"strings"
	"unicode/utf8"
)

// MaxClientBytes limits each field of a [Client]: what is longer is cut off.
const MaxClientBytes = 255

// Client is who holds a token, as far as the application has it recorded. The
// zero value stands for nothing known.
type Client struct {
	Address   string `json:"address"`    // such as an IP address
	UserAgent string `json:"user_agent"` // what the client says of itself
}

// ClientContextKey is the key of a context value, of type [Client]: who the
// call is made for. A manager records it when it creates or changes a session,
// and with a read when that extends the idle deadline; an event of kind
// [ClientChanged] tells if it is another one than before. Package httpsession
// sets it, if its configuration says so. Default: nothing is recorded.
var ClientContextKey = &contextKey{"client"}

type contextKey struct{ name string }

func (k *contextKey) String() string { return "coatcheck context value " + k.name }

// clientOf returns for whom a call is made, or the zero Client.
func clientOf(ctx context.Context) Client {
	c, _ := ctx.Value(ClientContextKey).(Client)
	return Client{Address: fitting(c.Address), UserAgent: fitting(c.UserAgent)}
}

// fitting returns the text as a store can keep it.
func fitting(text string) string {
	if len(text) > MaxClientBytes {
		text = text[:MaxClientBytes]
		for i := 0; i < utf8.UTFMax && !utf8.ValidString(text); i++ {
			text = text[:len(text)-1]
		}
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "?") // one byte for each: it grows no longer
	}
	return text
}
