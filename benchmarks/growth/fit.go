package growth

// line is what a figure comes to where another one is 0, and how much more for
// each 1 of that.
type line struct{ At0, Slope float64 }

func (l line) at(x float64) float64 { return l.At0 + l.Slope*x }

// fit returns the line of the least squares. There must be points of two x.
func fit(points []point) line {
	var n, sx, sy, sxx, sxy float64
	for _, p := range points {
		n, sx, sy, sxx, sxy = n+1, sx+p.x, sy+p.y, sxx+p.x*p.x, sxy+p.x*p.y
	}
	slope := (n*sxy - sx*sy) / (n*sxx - sx*sx)
	return line{(sy - slope*sx) / n, slope}
}

type point struct{ x, y float64 }
