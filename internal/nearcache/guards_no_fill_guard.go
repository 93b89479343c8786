//go:build coatcheck_no_fill_guard

package nearcache

const (
	enforceFreshness = true
	enforceFillGuard = false
)
