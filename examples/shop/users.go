package main

import "golang.org/x/crypto/bcrypt"

// users are for trying the shop, and their passwords are on its sign-in page: a
// real shop has them in a database.
var users = map[string]string{
	"ada":   "$2a$10$we8loZtmJu.4T/1uWW.OOeKzJsszgImgNCFtQwSO.RgmwP4fXQS52", // analytical
	"grace": "$2a$10$FfdGbVHz4kLdv5FGeLTTjeLGqDCOswA/jV5GIxMfYytqvigWhQ8xG", // nanosecond
}

// authentic reports whether there is such a user, with that password.
func authentic(name, password string) bool {
	hash, known := users[name]
	if !known {
		hash = users["ada"] // the same work, so that the time it takes does not tell who is a user
	}
	err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password))
	return known && err == nil
}
