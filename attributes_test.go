package coatcheck_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

type attributes = coatcheck.Session[coatcheck.Attributes]

// attrs returns a manager of attributes, and a session that has some.
func attrs(t testing.TB, n near) (*coatcheck.Manager[coatcheck.Attributes], *hooked, *attributes) {
	t.Helper()
	store := hook(t)
	m := newManager(t, coatcheck.Config[coatcheck.Attributes]{Store: store, NearCache: n.NearCache})
	s := m.Open("")
	wantErr(t, "SetAttrs", coatcheck.SetAttrs(t.Context(), s, map[string]any{"name": "ada", "age": 36, "nothing": nil}), nil)
	flush(t, s)
	return m, store, m.Open(s.Token())
}

func wantAttr[V any](t testing.TB, s *attributes, key string, want V, found bool) {
	t.Helper()
	got, is, err := coatcheck.Attr[V](t.Context(), s, key)
	if err != nil || is != found || !reflect.DeepEqual(got, want) {
		t.Errorf("attribute %q is %v, %t, %v; want %v, %t", key, got, is, err, want, found)
	}
}

func wantKeys(t testing.TB, what string, s *attributes, want ...string) {
	t.Helper()
	all, err := s.Get(t.Context())
	if got := slices.Sorted(maps.Keys(all)); err != nil || !slices.Equal(got, want) {
		t.Errorf("%s: the keys are %v, %v; want %v", what, got, err, want)
	}
}

func TestAttributesComeBackAsTheirType(t *testing.T) {
	type address struct {
		Street string
		Number int
	}
	when := time.Date(2026, 7, 1, 12, 30, 0, 5, time.UTC)
	caches(t, func(t *testing.T, n near) {
		m, _, s := attrs(t, n)
		home := address{"Main", 5}
		for key, value := range map[string]any{
			"int": math.MaxInt64, "string": "é\n\"<&>", "struct": home, "pointer": &home, "slice": []int{1, 2}, "time": when,
			"bool": true, "map": map[string]float64{"pi": 3.14}, "raw": json.RawMessage(`{ "a": [1, 2] }`), "": "no name",
		} {
			wantErr(t, "SetAttr", coatcheck.SetAttr(t.Context(), s, key, value), nil)
		}
		check := func(s *attributes) {
			t.Helper()
			wantAttr(t, s, "int", math.MaxInt64, true)
			wantAttr(t, s, "string", "é\n\"<&>", true)
			wantAttr(t, s, "struct", home, true)
			wantAttr(t, s, "pointer", home, true)
			wantAttr(t, s, "struct", &home, true)
			wantAttr(t, s, "slice", []int{1, 2}, true)
			wantAttr(t, s, "time", when, true)
			wantAttr(t, s, "bool", true, true)
			wantAttr(t, s, "map", map[string]float64{"pi": 3.14}, true)
			wantAttr(t, s, "raw", struct{ A []int }{[]int{1, 2}}, true)
			wantAttr(t, s, "", "no name", true)
			wantAttr[any](t, s, "age", float64(36), true)
		}
		check(s)
		flush(t, s)
		check(s)
		check(m.Open(s.Token()))
	})
}

func TestAbsentAttributeIsZero(t *testing.T) {
	m, _, s := attrs(t, near{})
	wantAttr(t, s, "absent", 0, false)
	wantAttr(t, s, "Name", "", false)
	wantAttr(t, m.Open(""), "name", "", false)
	wantAttr[[]int](t, s, "absent", nil, false)
}

func TestNullAttributeIsThere(t *testing.T) {
	_, _, s := attrs(t, near{})
	wantAttr(t, s, "nothing", 0, true)
	wantAttr[*int](t, s, "nothing", nil, true)
}

func TestAttributeOfAnotherType(t *testing.T) {
	ctx := t.Context()
	_, store, s := attrs(t, near{})
	wantErr(t, "SetAttr", coatcheck.SetAttr(ctx, s, "number", 4111_1111_1111_1111), nil)
	wantErr(t, "SetAttr", coatcheck.SetAttr(ctx, s, "text", "4111"), nil)
	flush(t, s)
	asked := keepJournal(store)
	check := func(what string, found bool, err error) {
		t.Helper()
		wantErr(t, what, err, coatcheck.ErrDecode)
		if text := fmt.Sprint(err); !found || strings.Contains(text, "4111") || !strings.Contains(text, what) {
			t.Errorf("found %t; the error shows the value, or does not name the attribute: %v", found, err)
		}
	}
	_, found, err := coatcheck.Attr[int8](ctx, s, "number")
	check("number", found, err)
	_, found, err = coatcheck.Attr[int](ctx, s, "text")
	check("text", found, err)
	_, found, err = coatcheck.Attr[time.Time](ctx, s, "text")
	check("text", found, err)
	_, found, err = coatcheck.PopAttr[int](ctx, s, "text")
	check("text", found, err)
	flush(t, s)
	asked.want(t, "what could not be read")
	wantAttr(t, s, "text", "4111", true)
	wantAttr(t, s, "number", 4111_1111_1111_1111, true)
}

func TestAttributeThatIsNotJSON(t *testing.T) {
	ctx := t.Context()
	_, store, s := attrs(t, near{})
	asked := keepJournal(store)
	for name, value := range map[string]any{
		"a channel": make(chan int), "a function": func() {}, "not a number": math.NaN(), "bad JSON": json.RawMessage(`{"secret":`),
		"an angry type": angry{},
	} {
		err := coatcheck.SetAttr(ctx, s, "odd", value)
		wantErr(t, name, err, coatcheck.ErrInvalid)
		if text := fmt.Sprint(err); strings.Contains(text, "secret") || !strings.Contains(text, `"odd"`) {
			t.Errorf("%s: the error shows the value, or does not name the attribute: %v", name, err)
		}
		err = coatcheck.SetAttrs(ctx, s, map[string]any{"a": 1, "name": "eve", "odd": value, "z": 1})
		wantErr(t, name, err, coatcheck.ErrInvalid)
	}
	flush(t, s)
	asked.want(t, "what could not be set")
	wantKeys(t, "after errors", s, "age", "name", "nothing")
	wantAttr(t, s, "name", "ada", true)
}

type angry struct{}

func (angry) MarshalJSON() ([]byte, error) { return nil, fmt.Errorf("secret") }

func TestSetAttrsLeavesTheOthers(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, s := attrs(t, n)
		asked := keepJournal(store)
		wantErr(t, "SetAttrs", coatcheck.SetAttrs(t.Context(), s, map[string]any{"name": "bob", "city": "London"}), nil)
		wantKeys(t, "at once", s, "age", "city", "name", "nothing")
		wantKeys(t, "elsewhere", m.Open(s.Token()), "age", "name", "nothing")
		flush(t, s)
		asked.want(t, "all", append(slices.Repeat(n.reads, 2), "Update")...)
		wantKeys(t, "flushed", m.Open(s.Token()), "age", "city", "name", "nothing")
		wantAttr(t, s, "name", "bob", true)
		wantAttr(t, s, "age", 36, true)
	})
}

func TestAttributesOfTwoRequestsBothSurvive(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, _, s := attrs(t, n)
		other := m.Open(s.Token())
		wantErr(t, "SetAttr", coatcheck.SetAttr(t.Context(), s, "mine", 1), nil)
		wantErr(t, "SetAttr", coatcheck.SetAttr(t.Context(), other, "theirs", 2), nil)
		wantErr(t, "RemoveAttrs", coatcheck.RemoveAttrs(t.Context(), other, "age"), nil)
		flush(t, other)
		flush(t, s)
		wantKeys(t, "in the end", m.Open(s.Token()), "mine", "name", "nothing", "theirs")
	})
}

// Also when it is set again on a newer value.
func TestWhatWasSetMayBeChangedAfterwards(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, _, s := attrs(t, n)
		list, values := []int{1, 2}, map[string]any{"one": 1}
		raw := json.RawMessage(`{"a":1}`)
		wantErr(t, "SetAttr", coatcheck.SetAttr(t.Context(), s, "list", list), nil)
		wantErr(t, "SetAttr", coatcheck.SetAttr(t.Context(), s, "raw", raw), nil)
		wantErr(t, "SetAttrs", coatcheck.SetAttrs(t.Context(), s, values), nil)
		list[0], values["one"], values["two"], raw[5] = 100, 100, 100, '9'
		wantErr(t, "SetAttr", coatcheck.SetAttr(t.Context(), m.Open(s.Token()), "list", list), nil)
		s.Reload()
		wantAttr(t, s, "list", []int{1, 2}, true)
		flush(t, s)
		wantAttr(t, s, "list", []int{1, 2}, true)
		wantAttr(t, s, "raw", map[string]int{"a": 1}, true)
		wantAttr(t, s, "one", 1, true)
		wantKeys(t, "in the end", s, "age", "list", "name", "nothing", "one", "raw")
	})
}

func TestRemoveAttrs(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, _, s := attrs(t, n)
		before, err := s.Get(t.Context())
		wantErr(t, "Get", err, nil)
		wantErr(t, "RemoveAttrs", coatcheck.RemoveAttrs(t.Context(), s, "age", "absent", "nothing"), nil)
		wantKeys(t, "at once", s, "name")
		flush(t, s)
		wantKeys(t, "flushed", m.Open(s.Token()), "name")
		if len(before) != 3 {
			t.Errorf("what was handed out before is %v", before)
		}
		wantErr(t, "RemoveAttrs", coatcheck.RemoveAttrs(t.Context(), s), nil)
		wantErr(t, "RemoveAttrs of none at all", coatcheck.RemoveAttrs(t.Context(), m.Open(""), "name"), nil)
	})
}

func TestPopAttrTakesIt(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, s := attrs(t, n)
		value, found, err := coatcheck.PopAttr[string](t.Context(), s, "name")
		if err != nil || !found || value != "ada" {
			t.Errorf("%q, %t, %v; want ada", value, found, err)
		}
		wantAttr(t, s, "name", "", false)
		flush(t, s)
		wantKeys(t, "flushed", m.Open(s.Token()), "age", "nothing")

		asked := keepJournal(store)
		value, found, err = coatcheck.PopAttr[string](t.Context(), s, "name")
		if err != nil || found || value != "" || s.Status().Pending {
			t.Errorf("again: %q, %t, %v; pending %t", value, found, err, s.Status().Pending)
		}
		flush(t, s)
		asked.want(t, "a Pop of nothing")
		if _, found, err := coatcheck.PopAttr[*int](t.Context(), s, "nothing"); !found || err != nil {
			t.Errorf("null: %t, %v", found, err)
		}
		wantKeys(t, "in the end", s, "age")
	})
}

func TestAttributesOfASessionThatCannotBeRead(t *testing.T) {
	ctx := t.Context()
	m, store, s := attrs(t, near{NearCache: storeOnly})
	store.before = failing(coatcheck.ErrUnavailable, "Load")
	s = m.Open(s.Token())
	value, found, err := coatcheck.Attr[int](ctx, s, "age")
	wantErr(t, "Attr", err, coatcheck.ErrUnavailable)
	popped, gone, err := coatcheck.PopAttr[int](ctx, s, "age")
	wantErr(t, "PopAttr", err, coatcheck.ErrUnavailable)
	if value != 0 || found || popped != 0 || gone {
		t.Errorf("with the error: %d, %t; popped %d, %t", value, found, popped, gone)
	}
	wantErr(t, "SetAttr", coatcheck.SetAttr(ctx, s, "age", 1), coatcheck.ErrUnavailable)
	wantErr(t, "SetAttrs", coatcheck.SetAttrs(ctx, s, map[string]any{"age": 1}), coatcheck.ErrUnavailable)
	wantErr(t, "RemoveAttrs", coatcheck.RemoveAttrs(ctx, s, "age"), coatcheck.ErrUnavailable)
}

func TestAttributesByThemselves(t *testing.T) {
	var a coatcheck.Attributes
	marshal := func(want string) {
		t.Helper()
		if data, err := json.Marshal(a); err != nil || string(data) != want {
			t.Errorf("as JSON: %s, %v; want %s", data, err, want)
		}
	}
	marshal(`{}`)
	a.Remove("absent")
	n := 7
	if found, err := a.Lookup("n", &n); found || err != nil || n != 7 {
		t.Errorf("Lookup in nil: %t, %v, %d; want nothing touched", found, err, n)
	}
	wantErr(t, "Set", a.Set("bad", make(chan int)), coatcheck.ErrInvalid)
	if a != nil {
		t.Error("a failed Set made a map")
	}
	wantErr(t, "Set", a.Set("n", 1), nil)
	wantErr(t, "Set", a.Set("s", "x"), nil)
	marshal(`{"n":1,"s":"x"}`)
	wantErr(t, "Set", a.Set("n", 2), nil)
	if found, err := a.Lookup("n", &n); !found || err != nil || n != 2 {
		t.Errorf("Lookup: %t, %v, %d", found, err, n)
	}
	found, err := a.Lookup("s", &n)
	if wantErr(t, "Lookup", err, coatcheck.ErrDecode); !found {
		t.Error("what does not fit was not found")
	}
	found, err = a.Lookup("s", n) // no pointer
	if wantErr(t, "Lookup", err, coatcheck.ErrDecode); !found {
		t.Error("not found")
	}
	a.Remove("n", "s")
	marshal(`{}`)
}

// A session of the seed's bag of keys is, as JSON, the bag.
func TestSessionOfAttributesAsJSON(t *testing.T) {
	m, _, s := attrs(t, near{})
	for want, s := range map[string]*attributes{`{"age":36,"name":"ada","nothing":null}`: s, `{}`: m.Open("")} {
		if data, err := json.Marshal(s); err != nil || string(data) != want {
			t.Errorf("%s, %v; want %s", data, err, want)
		}
	}
}

func TestNoAttributesBeginNoSession(t *testing.T) {
	m, store, _ := attrs(t, near{})
	s := m.Open("")
	wantErr(t, "SetAttr", coatcheck.SetAttr(t.Context(), s, "name", "ada"), nil)
	wantErr(t, "RemoveAttrs", coatcheck.RemoveAttrs(t.Context(), s, "name"), nil)
	wantErr(t, "SetAttrs", coatcheck.SetAttrs(t.Context(), s, nil), nil)
	flush(t, s)
	wantSessions(t, store, 1) // of attrs
	if s.Token() != "" {
		t.Errorf("token %v", s.Token())
	}
}
