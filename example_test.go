package coatcheck_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
)

// Cart is a value like any: a Go type of the application.
type Cart struct {
	Items int
}

// newCarts returns a manager of carts, as the examples use it.
func newCarts() *coatcheck.Manager[Cart] {
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	carts, err := coatcheck.New(coatcheck.Config[Cart]{Store: store})
	if err != nil {
		log.Fatal(err)
	}
	return carts
}

func ExampleManager() {
	ctx := context.Background()
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	carts, err := coatcheck.New(coatcheck.Config[Cart]{Store: store})
	if err != nil {
		log.Fatal(err)
	}
	defer carts.Close()

	token, err := carts.Generate(ctx, Cart{Items: 3})
	if err != nil {
		log.Fatal(err)
	}
	cart, err := carts.Get(ctx, token)
	fmt.Println(cart.Items, err)

	err = carts.Delete(ctx, token)
	fmt.Println(err)
	_, err = carts.Get(ctx, token)
	fmt.Println(errors.Is(err, coatcheck.ErrNotFound))
	// Output:
	// 3 <nil>
	// <nil>
	// true
}

func ExampleManager_Change() {
	ctx := context.Background()
	carts := newCarts()
	token, err := carts.Generate(ctx, Cart{Items: 3})
	if err != nil {
		log.Fatal(err)
	}

	// However many do this at once, on however many machines, none is lost.
	err = carts.Change(ctx, token, func(c *Cart) error {
		c.Items++
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	cart, err := carts.Get(ctx, token)
	fmt.Println(cart.Items, err)
	// Output: 4 <nil>
}

// An error of the function is returned as it is, and nothing is stored.
func ExampleManager_Change_refused() {
	ctx := context.Background()
	carts := newCarts()
	token, err := carts.Generate(ctx, Cart{Items: 0})
	if err != nil {
		log.Fatal(err)
	}

	err = carts.Change(ctx, token, func(c *Cart) error {
		if c.Items == 0 {
			return errors.New("the cart is empty")
		}
		c.Items--
		return nil
	})
	fmt.Println(err)
	// Output: the cart is empty
}

// All faults are named at once.
func ExampleNew_invalid() {
	_, err := coatcheck.New(coatcheck.Config[Cart]{
		IdleTimeout:   time.Hour,
		TouchInterval: 2 * time.Hour,
		MaxValueBytes: -1,
	})
	fmt.Println(err)
	// Output:
	// coatcheck: configuration: invalid argument:
	// Store is required: pass one of memstore.New, sqlstore.OpenSQLite or redisstore.Open
	// MaxValueBytes is -1: must be positive, or 0 for 65536
	// TouchInterval 2h0m0s is not less than IdleTimeout 1h0m0s: sessions would end while they are used
}

func ExampleWithID() {
	ctx := context.Background()
	carts := newCarts()

	const id = "cart-of-the-user-00042" // 22 characters of URL-safe base64
	token, err := carts.Generate(ctx, Cart{}, coatcheck.WithID(id))
	fmt.Println(token.ID(), err)

	_, err = carts.Generate(ctx, Cart{}, coatcheck.WithID(id))
	fmt.Println(errors.Is(err, coatcheck.ErrExists))
	// Output:
	// cart-of-the-user-00042 <nil>
	// true
}

func ExampleForSubject() {
	ctx := context.Background()
	carts := newCarts()
	token, err := carts.Generate(ctx, Cart{Items: 3}, coatcheck.ForSubject("user-42"))
	if err != nil {
		log.Fatal(err)
	}

	cart, info, err := carts.Lookup(ctx, token)
	fmt.Println(cart.Items, info.Subject, info.Rev, err)
	// Output: 3 user-42 1 <nil>
}

// A form that was filled in on an old value must not overwrite a newer one.
func ExampleIfRev() {
	ctx := context.Background()
	carts := newCarts()
	var shown coatcheck.Info
	token, err := carts.Generate(ctx, Cart{Items: 3}, coatcheck.WithInfo(&shown))
	if err != nil {
		log.Fatal(err)
	}

	err = carts.Update(ctx, token, Cart{Items: 4}) // somebody else
	fmt.Println(err)
	err = carts.Update(ctx, token, Cart{Items: 2}, coatcheck.IfRev(shown.Rev))
	fmt.Println(errors.Is(err, coatcheck.ErrConflict))
	// Output:
	// <nil>
	// true
}

// Values that are encoded already are stored as they are.
func ExampleBytes() {
	ctx := context.Background()
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	sessions, err := coatcheck.New(coatcheck.Config[[]byte]{Store: store, Codec: coatcheck.Bytes{}})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()

	token, err := sessions.Generate(ctx, []byte{0x08, 0x96, 0x01}) // a message of Protocol Buffers, say
	if err != nil {
		log.Fatal(err)
	}
	value, err := sessions.Get(ctx, token)
	fmt.Printf("%x %v\n", value, err)
	// Output: 089601 <nil>
}

// A token that is printed shows whose it is, and is of no use to the reader.
func ExampleToken() {
	token := coatcheck.Token("cart-of-the-user-00042" + "a-secret-of-22-letters")
	fmt.Println(token)
	fmt.Printf("%q\n", token.ID())

	raw := string(token) // for its holder only
	fmt.Println(len(raw), coatcheck.Token(raw) == token)
	// Output:
	// cart-of-the-user-00042[redacted]
	// "cart-of-the-user-00042"
	// 44 true
}

// A session that was ended is served from no process's memory for more than
// MaxStaleness; Everywhere waits for that. The events tell what the near cache
// does, the counters how well.
func ExampleNearCache() {
	ctx := context.Background()
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	carts, err := coatcheck.New(coatcheck.Config[Cart]{
		Store: store,
		NearCache: coatcheck.NearCache{
			MaxEntries:   10_000,
			MaxStaleness: 500 * time.Millisecond,
		},
		OnEvent: func(e coatcheck.Event) { log.Println(e.Kind, e.SessionID) },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer carts.Close()

	token, err := carts.Generate(ctx, Cart{Items: 3})
	if err != nil {
		log.Fatal(err)
	}
	cart, err := carts.Get(ctx, token) // from memory
	fmt.Println(cart.Items, err)
	fmt.Println(carts.Delete(ctx, token, coatcheck.Everywhere()))
	// Output:
	// 3 <nil>
	// <nil>
}
