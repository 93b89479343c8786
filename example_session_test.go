package coatcheck_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
)

// newBags returns a manager of attributes, as the examples use it.
func newBags() *coatcheck.Manager[coatcheck.Attributes] {
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	bags, err := coatcheck.New(coatcheck.Config[coatcheck.Attributes]{Store: store})
	if err != nil {
		log.Fatal(err)
	}
	return bags
}

// buy returns a change of a cart.
func buy(items int) func(*Cart) error {
	return func(c *Cart) error {
		c.Items += items
		return nil
	}
}

// A unit of work, without any HTTP: it begins with what the client shows, here
// nothing yet, and ends with the token that the client should hold.
func ExampleSession() {
	ctx := context.Background()
	carts := newCarts()

	session := carts.Open("")
	if err := session.Change(ctx, buy(3)); err != nil {
		log.Fatal(err)
	}
	cart, err := session.Get(ctx)
	fmt.Println(cart.Items, err)
	fmt.Println(session.Token()) // nothing is stored yet

	if err := session.Flush(ctx); err != nil {
		log.Fatal(err)
	}
	token := session.Token()

	cart, err = carts.Open(token).Get(ctx) // the next request
	fmt.Println(cart.Items, err)
	// Output:
	// 3 <nil>
	// [no token]
	// 3 <nil>
}

// Two requests that overlap: the second one is saved on top of the first.
func ExampleSession_Flush() {
	ctx := context.Background()
	carts := newCarts()
	token, err := carts.Generate(ctx, Cart{Items: 3})
	if err != nil {
		log.Fatal(err)
	}

	first, second := carts.Open(token), carts.Open(token)
	for i, session := range []*coatcheck.Session[Cart]{first, second} {
		if err := session.Change(ctx, buy(i+1)); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(first.Flush(ctx), second.Flush(ctx))
	cart, err := carts.Get(ctx, token)
	fmt.Println(cart.Items, err)
	// Output:
	// <nil> <nil>
	// 6 <nil>
}

// A login. Whoever has planted the token that the client came with gets nothing
// for it afterwards.
func ExampleSession_SetSubject() {
	ctx := context.Background()
	carts := newCarts()
	before, err := carts.Generate(ctx, Cart{Items: 3})
	if err != nil {
		log.Fatal(err)
	}

	session := carts.Open(before)
	if err := session.SetSubject("user-42"); err != nil {
		log.Fatal(err)
	}
	if err := session.Flush(ctx); err != nil {
		log.Fatal(err)
	}
	info, err := session.Info(ctx)
	fmt.Println(info.Subject, err)
	fmt.Println(session.Token() != before, session.ID() == before.ID())

	_, err = carts.Get(ctx, before)
	fmt.Println(errors.Is(err, coatcheck.ErrNotFound))
	// Output:
	// user-42 <nil>
	// true true
	// true
}

// A logout. A request that was under way does not bring the session back.
func ExampleSession_Destroy() {
	ctx := context.Background()
	carts := newCarts()
	token, err := carts.Generate(ctx, Cart{Items: 3})
	if err != nil {
		log.Fatal(err)
	}
	underWay := carts.Open(token)
	if err := underWay.Change(ctx, buy(1)); err != nil {
		log.Fatal(err)
	}

	fmt.Println(carts.Open(token).Destroy(ctx))
	fmt.Println(errors.Is(underWay.Flush(ctx), coatcheck.ErrNotFound))
	_, err = carts.Get(ctx, token)
	fmt.Println(errors.Is(err, coatcheck.ErrNotFound))
	// Output:
	// <nil>
	// true
	// true
}

// An event stream lasts: it looks again from time to time.
func ExampleSession_Reload() {
	ctx := context.Background()
	carts := newCarts()
	token, err := carts.Generate(ctx, Cart{Items: 3})
	if err != nil {
		log.Fatal(err)
	}

	stream := carts.Open(token)
	items := func() int {
		cart, err := stream.Get(ctx)
		if err != nil {
			log.Fatal(err)
		}
		return cart.Items
	}
	fmt.Println(items())
	if err := carts.Change(ctx, token, buy(1)); err != nil { // another request
		log.Fatal(err)
	}
	fmt.Println(items())
	stream.Reload()
	fmt.Println(items())
	// Output:
	// 3
	// 3
	// 4
}

// A bag of keys, each of a type of its own, without HTTP.
func ExampleAttributes() {
	ctx := context.Background()
	bags := newBags()

	session := bags.Open("")
	if err := coatcheck.SetAttr(ctx, session, "user", "ada"); err != nil {
		log.Fatal(err)
	}
	err := coatcheck.SetAttrs(ctx, session, map[string]any{"theme": "dark", "sizes": []int{1, 2}})
	if err != nil {
		log.Fatal(err)
	}
	if err := session.Flush(ctx); err != nil {
		log.Fatal(err)
	}

	session = bags.Open(session.Token()) // the next request
	user, found, err := coatcheck.Attr[string](ctx, session, "user")
	fmt.Println(user, found, err)
	sizes, _, err := coatcheck.Attr[[]int](ctx, session, "sizes")
	fmt.Println(sizes, err)
	if err := coatcheck.RemoveAttrs(ctx, session, "sizes", "theme"); err != nil {
		log.Fatal(err)
	}
	all, err := json.Marshal(session)
	fmt.Println(string(all), err)
	// Output:
	// ada true <nil>
	// [1 2] <nil>
	// {"user":"ada"} <nil>
}

// A message that is to be shown once, after a redirect.
func ExamplePopAttr() {
	ctx := context.Background()
	bags := newBags()
	session := bags.Open("")
	if err := coatcheck.SetAttr(ctx, session, "flash", "saved"); err != nil {
		log.Fatal(err)
	}

	for range 2 {
		message, found, err := coatcheck.PopAttr[string](ctx, session, "flash")
		fmt.Printf("%q %t %v\n", message, found, err)
	}
	// Output:
	// "saved" true <nil>
	// "" false <nil>
}
