package quantile

import "testing"

func TestOf(t *testing.T) {
	for _, test := range []struct {
		figures []float64
		share   float64
		want    float64
	}{
		{[]float64{3}, 0.5, 3},
		{[]float64{1, 2}, 0.5, 1.5},
		{[]float64{1, 2, 9}, 0.5, 2},
		{[]float64{1, 2, 3, 4, 5}, 0.25, 2},
		{[]float64{1, 2, 3, 4, 5}, 0.75, 4},
	} {
		if got := Of(test.figures, test.share); got != test.want {
			t.Errorf("quantile %v of %v is %v, want %v", test.share, test.figures, got, test.want)
		}
	}
}
