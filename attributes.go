package coatcheck

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
)

// Attributes is a ready-made value for those who want a bag of keys: each
// attribute is kept as JSON, and read back as the type that is asked for. The
// functions [Attr], [SetAttr], [SetAttrs], [RemoveAttrs] and [PopAttr] work on a
// session of it.
//
// It is a map for reading, such as for len or range. To change one, use its methods inside
// [Session.Change] or [Manager.Change]. Reading is safe for concurrent use.
type Attributes map[string]json.RawMessage

// Set makes value the attribute's, in place of any other. It returns
// [ErrInvalid] if that cannot be written as JSON.
func (a *Attributes) Set(key string, value any) error {
	data, err := JSON[any]{}.Encode(value)
	if err != nil {
		return fmt.Errorf("coatcheck: %w: attribute %q: %w", ErrInvalid, key, err)
	}
	if *a == nil {
		*a = make(Attributes)
	}
	(*a)[key] = data
	return nil
}

// Remove removes the attributes that there are of these.
func (a *Attributes) Remove(keys ...string) {
	for _, key := range keys {
		delete(*a, key)
	}
}

// Lookup stores the attribute in *value, a pointer, and reports whether there is
// one. It returns [ErrDecode] if it does not fit.
func (a Attributes) Lookup(key string, value any) (bool, error) {
	data, found := a[key]
	if !found {
		return false, nil
	}
	if err := withoutData(json.Unmarshal(data, value)); err != nil {
		return true, fmt.Errorf("coatcheck: attribute %q: %w into %T: %w", key, ErrDecode, value, err)
	}
	return true, nil
}

// MarshalJSON returns one JSON object, also of no attributes at all.
func (a Attributes) MarshalJSON() ([]byte, error) {
	if a == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(map[string]json.RawMessage(a))
}

// Attr returns an attribute of the session, and whether it has it; without it V
// is the zero value. It returns [ErrDecode] if the attribute does not fit V, and
// the errors of [Session.Get].
func Attr[V any](ctx context.Context, s *Session[Attributes], key string) (V, bool, error) {
	var value V
	attributes, err := s.Get(ctx)
	if err != nil {
		return value, false, err
	}
	found, err := attributes.Lookup(key, &value)
	return value, found, err
}

// SetAttr sets an attribute of the session, until [Session.Flush] in private. It
// returns [ErrInvalid] if value cannot be written as JSON, and the errors of
// [Session.Change]. What value points to may be changed afterwards.
func SetAttr(ctx context.Context, s *Session[Attributes], key string, value any) error {
	return SetAttrs(ctx, s, map[string]any{key: value})
}

// SetAttrs is [SetAttr] for several attributes: all are set, or none. Those that
// are not named stay.
func SetAttrs(ctx context.Context, s *Session[Attributes], values map[string]any) error {
	encoded := make(Attributes, len(values))
	for key, value := range values {
		if err := encoded.Set(key, value); err != nil {
			return err
		}
	}
	return s.Change(ctx, func(a *Attributes) error {
		if *a == nil {
			*a = make(Attributes)
		}
		maps.Copy(*a, encoded)
		return nil
	})
}

// RemoveAttrs removes the attributes that there are of these. It returns the
// errors of [Session.Change].
func RemoveAttrs(ctx context.Context, s *Session[Attributes], keys ...string) error {
	return s.Change(ctx, func(a *Attributes) error {
		a.Remove(keys...)
		return nil
	})
}

// PopAttr returns an attribute as [Attr] does and removes it, which is what a
// message to be shown once needs. (Two requests at once may both show it.) Where
// there is none, the session stays unchanged.
func PopAttr[V any](ctx context.Context, s *Session[Attributes], key string) (V, bool, error) {
	value, found, err := Attr[V](ctx, s, key)
	if err != nil || !found {
		return value, found, err
	}
	return value, true, RemoveAttrs(ctx, s, key)
}
