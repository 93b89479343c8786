// Package quantile sums up figures of which some are disturbed.
package quantile

// Of returns the share-quantile of ascending figures: 0.5 is the median.
func Of(ascending []float64, share float64) float64 {
	at := share * float64(len(ascending)-1)
	low := int(at)
	high := min(low+1, len(ascending)-1)
	return ascending[low] + (at-float64(low))*(ascending[high]-ascending[low])
}
