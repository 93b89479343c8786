package nearcache

import "testing"

func TestSecretMatchesItselfOnly(t *testing.T) {
	s := newSecret(ours)
	if !s.matches(ours) {
		t.Error("does not match itself")
	}
	if same := newSecret(ours); !s.equals(&same) {
		t.Error("does not equal itself")
	}
	for i := range secretLen {
		for bit := range 8 {
			text := []byte(ours)
			text[i] ^= 1 << bit
			if s.matches(string(text)) {
				t.Errorf("matches a text that differs at %d", i)
			}
			if other := newSecret(string(text)); s.equals(&other) {
				t.Errorf("equals one that differs at %d", i)
			}
		}
	}
	for _, text := range []string{"", ours[:secretLen-1], ours + "0", ours[1:], ours + ours} {
		if s.matches(text) {
			t.Errorf("matches a text of %d characters", len(text))
		}
	}
}

// TestDifferencesDoNotCancelOut: the words of a secret overlap.
func TestDifferencesDoNotCancelOut(t *testing.T) {
	s := newSecret(ours)
	for i := range secretLen {
		for j := range i {
			text := []byte(ours)
			text[i] ^= 1
			text[j] ^= 1
			if s.matches(string(text)) {
				t.Errorf("matches a text that differs at %d and %d", j, i)
			}
		}
	}
}

func TestNewSecretPanicsOnAWrongLength(t *testing.T) {
	for _, text := range []string{"", ours[1:], ours + "0"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("no panic for %d characters", len(text))
				}
			}()
			newSecret(text)
		}()
	}
}
