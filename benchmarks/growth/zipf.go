package growth

import (
	"math"
	"math/rand/v2"
	"sort"
)

// Zipf is how often sessions are used if the k-th most popular one is used in
// proportion to 1/k^s. The one of math/rand wants an s above 1.
type Zipf struct{ upTo []float64 } // of the first sessions, what they are used

// NewZipf is for n sessions.
func NewZipf(s float64, n int) *Zipf {
	z := &Zipf{make([]float64, n)}
	sum := 0.0
	for i := range z.upTo {
		sum += math.Pow(float64(i+1), -s)
		z.upTo[i] = sum
	}
	return z
}

// Draw returns the number of the session that is used next, from 0.
func (z *Zipf) Draw(random *rand.Rand) int {
	return sort.SearchFloat64s(z.upTo, random.Float64()*z.upTo[len(z.upTo)-1])
}

// exactly is how many terms of a harmonic number are added one by one.
const exactly = 1000

// harmonic returns 1 + 1/2^s + … + 1/n^s. Beyond the first terms it takes the
// integral, and corrects it at both ends (Euler and Maclaurin): the error is far
// below a millionth.
func harmonic(n, s float64) float64 {
	sum := 0.0
	for k := 1.0; k <= min(n, exactly); k++ {
		sum += math.Pow(k, -s)
	}
	if n <= exactly {
		return sum
	}
	f := func(x float64) float64 { return math.Pow(x, -s) }
	integral := math.Log(n / exactly)
	if s != 1 {
		integral = (math.Pow(n, 1-s) - math.Pow(exactly, 1-s)) / (1 - s)
	}
	return sum + integral + (f(n)-f(exactly))/2
}

// ideal is the hit ratio of a cache that holds the most popular of n sessions.
func ideal(held, n, s float64) float64 {
	return harmonic(min(held, n), s) / harmonic(n, s)
}
