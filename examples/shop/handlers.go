package main

import (
	"net/http"
)

func (s *shop) catalogue(w http.ResponseWriter, r *http.Request, session *Session) error {
	return s.show(w, r, session, http.StatusOK, "catalogue", page{})
}

func (s *shop) cart(w http.ResponseWriter, r *http.Request, session *Session) error {
	return s.show(w, r, session, http.StatusOK, "cart", page{})
}

func (s *shop) changeCart(w http.ResponseWriter, r *http.Request, session *Session) error {
	id := r.PathValue("good")
	n, known := map[string]int{"add": 1, "less": -1, "remove": -maxOfOne}[r.FormValue("do")]
	if !known || !isGood(id) {
		http.NotFound(w, r)
		return nil
	}
	// A change is a function: if another tab changes the cart at the same
	// moment, it is made again on what that has left, and neither is lost.
	if err := session.Change(r.Context(), func(v *Visit) error { v.Put(id, n); return nil }); err != nil {
		return err
	}
	if r.FormValue("from") == "cart" {
		http.Redirect(w, r, "/cart", http.StatusSeeOther)
	} else {
		http.Redirect(w, r, "/#"+id, http.StatusSeeOther)
	}
	return nil
}

func (s *shop) checkout(w http.ResponseWriter, r *http.Request, session *Session) error {
	err := session.Change(r.Context(), func(v *Visit) error {
		if v.Count() == 0 { // paid for in another tab
			v.Flash = "There is nothing in your cart."
			return nil
		}
		*v = Visit{Flash: "Thank you! " + v.Total().String() + " worth of warm things are on their way."}
		return nil
	})
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

func (s *shop) signInForm(w http.ResponseWriter, r *http.Request, session *Session) error {
	return s.show(w, r, session, http.StatusOK, "signin", page{})
}

func (s *shop) signIn(w http.ResponseWriter, r *http.Request, session *Session) error {
	name := r.FormValue("name")
	if !authentic(name, r.FormValue("password")) {
		return s.show(w, r, session, http.StatusUnprocessableEntity, "signin", page{Fault: "Name and password do not match."})
	}
	// The cart stays, the token does not: whoever may have planted or seen the
	// old one has not signed in with it.
	if err := session.SetSubject(name); err != nil {
		return err
	}
	http.Redirect(w, r, "/account", http.StatusSeeOther)
	return nil
}

func (s *shop) signOut(w http.ResponseWriter, r *http.Request, session *Session) error {
	if err := session.Destroy(r.Context()); err != nil {
		return err
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}
