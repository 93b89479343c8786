package compare

import (
	"fmt"

	"github.com/coatcheck/coatcheck/benchmarks/rivals"
)

// work is what clients do with their sessions.
type work struct {
	name string
	does func(client rivals.Client, i int) error
	adds bool // sessions, which are all forgotten after a round: memory would grow with the run
	ends bool // sessions, which are made before a round: each serves once
}

// The names of the works, as the report has them.
const (
	Read       = "read"
	ReadAsking = "read that asks Redis" // as Read, of those alone who then ask
	Create     = "create"
	Change     = "change"
	Mixed      = "80 % reads, 20 % changes"
	Logout     = "log out"
)

var works = map[string]work{
	Read:   {name: Read, does: func(c rivals.Client, _ int) error { return c.Read() }},
	Create: {name: Create, does: func(c rivals.Client, _ int) error { return c.Create() }, adds: true},
	Change: {name: Change, does: func(c rivals.Client, _ int) error { return c.Change() }},
	Mixed: {name: Mixed, does: func(c rivals.Client, i int) error {
		if i%5 == 4 {
			return c.Change()
		}
		return c.Read()
	}},
	Logout: {name: Logout, does: func(c rivals.Client, _ int) error { return c.Logout() }, ends: true},
}

// Arena is values of one size and a number of clients, and what they do.
type Arena struct {
	Value   int // bytes of JSON
	Clients int
	Works   []string
}

// The middle of all comparisons, and how far they go from there.
const (
	baseValue   = 100
	baseClients = 64
	fewClients  = 2 // for whom reads are measured, too: one for each processor of a small machine
)

var (
	values   = []int{100, 1 << 10, 16 << 10}
	clients  = []int{1, fewClients, 8, 64, 512}
	everyOne = []string{Read, Create, Change, Mixed, Logout}
	mainOnes = []string{Read, Create, Change} // of which the axes are shown
)

// Arenas returns what is measured: all works in the middle and the main ones
// along the axes, or all works for all sizes and numbers.
func Arenas(full bool) []Arena {
	var arenas []Arena
	for _, value := range values {
		for _, clients := range clients {
			switch {
			case clients == fewClients:
				if value == baseValue {
					arenas = append(arenas, Arena{value, clients, []string{Read}})
				}
			case full || value == baseValue && clients == baseClients:
				arenas = append(arenas, Arena{value, clients, everyOne})
			case value == baseValue || clients == baseClients:
				arenas = append(arenas, Arena{value, clients, mainOnes})
			}
		}
	}
	return arenas
}

// size names a number of bytes.
func size(bytes int) string {
	if bytes >= 1<<10 {
		return fmt.Sprintf("%d KiB", bytes>>10)
	}
	return fmt.Sprintf("%d B", bytes)
}

func crowded(clients int) string {
	if clients == 1 {
		return "1 client"
	}
	return fmt.Sprintf("%d clients", clients)
}
