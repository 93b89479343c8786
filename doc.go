// Package coatcheck keeps values behind tokens: hand over a value, get a
// token; show the token on any machine, get the value back, until it expires
// or is revoked.
//
// The heart is [Manager]. It issues a [Token] for a value of any Go type,
// reads, replaces and changes the value behind it, extends its life, renews it and
// ends it. Where the records live is the business of a [Store]; the sub-packages
// memstore, sqlstore and redisstore are three of them, and package storetest
// checks any other.
//
// What a manager promises, over any store that keeps the contract:
//
//   - A store never holds what is needed to log in: only a hash of the
//     token reaches it.
//   - No lost update: [Manager.Change] is an atomic read-modify-write under
//     any number of concurrent writers and processes.
//   - No resurrection: once [Manager.Delete] has returned, no change that was
//     under way brings the value back.
//   - Log out everywhere: [Manager.RevokeAll] misses no session of a subject whose
//     login had returned before.
//   - A token that [Manager.Renew] has replaced opens nothing, but for a grace where
//     one was asked for.
//   - A miss is not a failure, and a failure is never reported as a miss: see
//     [ErrNotFound] and [ErrUnavailable].
package coatcheck
