package attacks

import (
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck"
)

// Session fixation: the attacker has the victim use a token that he knows, and
// waits for the victim to sign in with it.
func TestAttackFixation(t *testing.T) {
	for name, planted := range map[string]func(*site) string{
		"a token of the site": func(s *site) string {
			attacker := &browser{site: s}
			attacker.send("POST", "/note", "note=mine")
			return attacker.cookie
		},
		"a token that the attacker made up": func(*site) string {
			return strings.Repeat("A", 22) + strings.Repeat("B", 22)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := startSite(t, coatcheck.Config[account]{}, nil)
			known := planted(s)
			victim, attacker := &browser{s, known}, &browser{s, known}
			victim.send("POST", "/login", "name=ada")
			victim.send("POST", "/note", "note=private")
			victim.want("the victim", "ada|private")
			if victim.cookie == known {
				t.Error("the login left the planted token in place")
			}
			attacker.want("the attacker, with the planted token", nobody)
			if strings.HasPrefix(known, "AAA") && strings.HasPrefix(victim.cookie, known[:22]) {
				t.Error("an ID was adopted that the site had not issued")
			}
			victim.want("the victim, afterwards", "ada|private")
		})
	}
}
