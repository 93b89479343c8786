package coatcheck_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/coatcheck/coatcheck"
)

// The rights of the holder change: the session stays, the token does not.
func ExampleManager_Renew() {
	ctx := context.Background()
	carts := newCarts()
	before, err := carts.Generate(ctx, Cart{Items: 3})
	if err != nil {
		log.Fatal(err)
	}

	after, err := carts.Renew(ctx, before, coatcheck.ForSubject("user-42"))
	if err != nil {
		log.Fatal(err)
	}
	cart, err := carts.Get(ctx, after)
	fmt.Println(cart.Items, err)
	fmt.Println(after != before, after.ID() == before.ID())
	_, err = carts.Get(ctx, before)
	fmt.Println(errors.Is(err, coatcheck.ErrNotFound))
	// Output:
	// 3 <nil>
	// true true
	// true
}

// Log out everywhere else, as after a change of the password.
func ExampleManager_RevokeAll() {
	ctx := context.Background()
	carts := newCarts()
	var tokens []coatcheck.Token
	for range 3 {
		token, err := carts.Generate(ctx, Cart{Items: 3}, coatcheck.ForSubject("user-42"))
		if err != nil {
			log.Fatal(err)
		}
		tokens = append(tokens, token)
	}

	mine := tokens[0]
	fmt.Println(carts.RevokeAll(ctx, "user-42", coatcheck.Except(mine.ID())))
	for _, token := range tokens {
		_, err := carts.Get(ctx, token)
		fmt.Println(err)
	}
	// Output:
	// 2 <nil>
	// <nil>
	// not found
	// not found
}

// A page on which users see where they are signed in, and end what they do not
// know.
func ExampleManager_Sessions() {
	laptop := coatcheck.Client{Address: "192.0.2.1", UserAgent: "Browser on a laptop"}
	ctx := context.WithValue(context.Background(), coatcheck.ClientContextKey, laptop)
	carts := newCarts()
	mine, err := carts.Generate(ctx, Cart{}, coatcheck.ForSubject("user-42"))
	if err != nil {
		log.Fatal(err)
	}

	sessions, err := carts.Sessions(ctx, "user-42")
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range sessions {
		fmt.Println(s.Client.UserAgent, s.ID == mine.ID(), time.Since(s.LastSeen) < time.Minute)
	}
	// The ID comes back from the page: let nobody end what is another's.
	fmt.Println(carts.Revoke(ctx, sessions[0].ID, coatcheck.IfSubject("user-7")))
	fmt.Println(carts.Revoke(ctx, sessions[0].ID, coatcheck.IfSubject("user-42")))
	// Output:
	// Browser on a laptop true true
	// not found
	// <nil>
}
