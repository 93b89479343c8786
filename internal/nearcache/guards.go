//go:build !coatcheck_no_freshness_rule && !coatcheck_no_fill_guard

package nearcache

// The two guards that the bound rests on. Builds with the tags
// coatcheck_no_freshness_rule or coatcheck_no_fill_guard lack one each, to
// show that the tests would notice.
const (
	enforceFreshness = true
	enforceFillGuard = true
)
