package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/storetest"
)

// TestRejectsBrokenStores runs the suite against stores with one fault each:
// it must report the rule that the fault breaks, and no rule of a sound store.
func TestRejectsBrokenStores(t *testing.T) {
	rejects(t, withoutWatch, storetest.Check, map[string][]string{
		"":                           nil, // none: the sound store passes
		"lost update":                {"UpdateIsCompareAndSwap", "OneWriterWinsEachRev"},
		"racy update":                {"OneWriterWinsEachRev"},
		"resurrecting update":        {"UpdateNeverRecreates", "DeleteBeatsEveryUpdate", "ExpiredIsAbsent"},
		"update of a stale load":     {"DeleteBeatsEveryUpdate"},
		"blind to incarnations":      {"UpdateSparesAnotherIncarnation"},
		"overwriting create":         {"CreateNeverOverwrites", "OneOfManyCreatesWins"},
		"racy create":                {"OneOfManyCreatesWins"},
		"expired blocks create":      {"ExpiredIsAbsent"},
		"serves expired":             {"ExpiredIsAbsent", "NeverExpires"},
		"lists expired":              {"ExpiredIsAbsent"},
		"updates expired":            {"ExpiredIsAbsent"},
		"expires the eternal":        {"NeverExpires", "RecordsComeBackByteForByte"},
		"miss on outage":             {"OutageIsUnavailable"},
		"forgets in an outage":       {"OutageIsUnavailable"},
		"error without a name":       {"OutageIsUnavailable"},
		"miss without a name":        {"MissIsNotFound"},
		"delete of nothing fails":    {"DeleteIsIdempotent"},
		"delete that does nothing":   {"DeleteIsIdempotent", "MissIsNotFound"},
		"touch with a revision":      {"TouchExtends"},
		"touch shortens":             {"TouchNeverShortens"},
		"touch beyond the absolute":  {"TouchStopsAtAbsoluteDeadline"},
		"touch revives":              {"TouchNeverRevives"},
		"touch blind to incarnation": {"TouchNeverRevives"},
		"truncates values":           {"RecordsComeBackByteForByte"},
		"seconds only":               {"RecordsComeBackByteForByte"},
		"signed incarnations":        {"RecordsComeBackByteForByte"},
		"keeps the slice":            {"MemoryIsNotShared"},
		"hands out its slice":        {"MemoryIsNotShared"},
		"lists one page":             {"ListYieldsEachLivingRecordOnce"},
		"lists twice":                {"ListYieldsEachLivingRecordOnce"},
		"ping fails":                 {"PingIsNilWhenWell"},
		"ignores the context":        {"EndedContextReturns"},
		"acts though cancelled":      {"EndedContextReturns"},
		"half-written":               {"CancelledChangeIsWholeOrNot"},
		"forgets in a restart":       {"RestartKeepsWhatWasAcknowledged"},
		"forgets touches":            {"RestartKeepsWhatWasAcknowledged"},
		"panics":                     {"MissIsNotFound"},
		"update keeps the deadline":  {"UpdateSetsTheDeadline"},
		"update loses the deadline":  {"UpdateSetsTheDeadline"},
		"racy touch":                 {"TouchUndoesNothing"},
		"touch ends the eternal":     {"TouchNeverShortens"},
		"forgets when created":       {"RecordsComeBackByteForByte"},
		"forgets the hash":           {"RecordsComeBackByteForByte"},
		"forgets the idle timeout":   {"RecordsComeBackByteForByte"},
		"lists its slice":            {"MemoryIsNotShared"},
		"lists the deleted":          {"ListYieldsEachLivingRecordOnce"},
		"errors with the value":      {"ErrorsHoldNoData"},
		"serves when closed":         {"ClosedStoreSaysSo"},
		"closes once":                {"ClosedStoreSaysSo"},
		"revives in a restart":       {"RestartKeepsWhatWasAcknowledged"},

		"forgets the retired":                         {"RecordsComeBackByteForByte"},
		"forgets the fourth retired":                  {"RecordsComeBackByteForByte"},
		"turns the retired round":                     {"RecordsComeBackByteForByte"},
		"ends the retired at once":                    {"RecordsComeBackByteForByte"},
		"takes the end of the retired for their time": {"RecordsComeBackByteForByte"},
		"cuts clients off":                            {"RecordsComeBackByteForByte"},
		"cuts user agents off":                        {"RecordsComeBackByteForByte"},
		"update keeps the retired":                    {"RecordsComeBackByteForByte"},
		"update keeps the client":                     {"RecordsComeBackByteForByte"},
		"update forgets the retired":                  {"RecordsComeBackByteForByte"},
		"keeps the retired":                           {"MemoryIsNotShared"},
		"hands out its retired":                       {"MemoryIsNotShared"},

		"lists subjects by prefix":            {"SubjectListsItsLivingRecords"},
		"lists subjects in any case":          {"SubjectListsItsLivingRecords"},
		"ends subjects at NUL":                {"SubjectListsItsLivingRecords"},
		"trims subjects":                      {"SubjectListsItsLivingRecords"},
		"cuts subjects off":                   {"SubjectListsItsLivingRecords"},
		"lists a subject's expired":           {"SubjectListsItsLivingRecords"},
		"lists a subject's deleted":           {"SubjectListsItsLivingRecords", "SubjectFollowsUpdates"},
		"lists a subject with values":         {"SubjectListsItsLivingRecords"},
		"lists a subject without its retired": {"SubjectListsItsLivingRecords"},
		"lists a subject without its clients": {"SubjectListsItsLivingRecords"},
		"lists a subject twice":               {"SubjectListsItsLivingRecords"},
		"lists one page of a subject":         {"SubjectListsItsLivingRecords"},
		"lists a subject's slice":             {"MemoryIsNotShared"},
		"remembers the old subject":           {"SubjectFollowsUpdates"},
		"misses subjects given by updates":    {"SubjectFollowsUpdates", "SubjectMissesNoneMeanwhile"},
		"misses who had another subject":      {"SubjectFollowsUpdates", "SubjectMissesNoneMeanwhile"},
		"misses the touched":                  {"SubjectFollowsUpdates"},
		"misses heirs":                        {"SubjectFollowsUpdates", "SubjectMissesNoneMeanwhile"},
		"conflict moves the subject":          {"SubjectFollowsUpdates"},
		"prunes racing":                       {"SubjectMissesNoneMeanwhile"},
		"pages by number":                     {"SubjectMissesNoneMeanwhile"},
		"lists subjects though cancelled":     {"EndedContextReturns"},
		"goes on after an error":              {"EndedContextReturns"},
		"errors with the subject's hashes":    {"ErrorsHoldNoData"},
		"subjects outlive Close":              {"ClosedStoreSaysSo"},
		"no subjects in an outage":            {"OutageIsUnavailable"},
		"forgets subjects in a restart":       {"RestartKeepsWhatWasAcknowledged"},
	})
}

// TestRejectsBrokenWatches does so for the rules about watches.
func TestRejectsBrokenWatches(t *testing.T) {
	rejects(t, target, storetest.CheckWatches, map[string][]string{
		"":                                   nil,
		"watch begins without Lost":          {"WatchBeginsWithLost"},
		"reports no update":                  {"WatchReportsUpdateAndDelete"},
		"reports no deletion":                {"WatchReportsUpdateAndDelete"},
		"reports too late":                   {"WatchReportsUpdateAndDelete"},
		"reports the old revision":           {"WatchReportsUpdateAndDelete"},
		"reports the new record as gone":     {"WatchReportsUpdateAndDelete"},
		"reports nothing cancelled":          {"WatchReportsCancelledChanges"},
		"deaf to others":                     {"WatchReportsOthers", "WatchSurvivesOutage"},
		"deaf to deletions elsewhere":        {"WatchReportsOthers"},
		"catches up too early":               {"WatchReportsOthers"},
		"forgets what was loaded":            {"WatchReportsOthers"},
		"forgets what was updated":           {"WatchReportsOthers"},
		"forgets what was touched":           {"WatchReportsOthers"},
		"never catches up":                   {"CaughtUpIsNeverAhead"},
		"catches up with the future":         {"CaughtUpIsNeverAhead"},
		"claims to be alone":                 {"CaughtUpIsNeverAhead"},
		"watch ignores the context":          {"WatchEndsWithContext"},
		"watch ends without an error":        {"WatchEndsWithContext"},
		"reports after the end":              {"WatchEndsWithContext"},
		"watch survives Close":               {"WatchEndsWithClose"},
		"watch ends with a cause of its own": {"WatchEndsWithClose"},
		"one watch hears":                    {"ManyWatches"},
		"watches alone":                      {"ManyWatches"},
		"watch ends others":                  {"ManyWatches"},
		"catches up in an outage":            {"WatchSurvivesOutage"},
		"loses nothing in an outage":         {"WatchSurvivesOutage"},
		"watch ends in an outage":            {"WatchSurvivesOutage"},
		"deaf after an outage":               {"WatchSurvivesOutage"},
	})
}

// rejects checks that of the stores with a fault each is rejected by the rules
// that it breaks.
func rejects(t *testing.T, target func(string) storetest.Target, check func(func() (storetest.Target, error)) []storetest.Violation, faults map[string][]string) {
	// Many at once: most of the time they wait for what never comes. But not all,
	// for a case must end within its time; nor beside the sound one, which must not
	// be late.
	free := make(chan struct{}, 24)
	found := make(map[string]func() []storetest.Violation)
	sound := check(func() (storetest.Target, error) { return target(""), nil })
	found[""] = func() []storetest.Violation { return sound }
	for fault := range faults {
		if fault == "" {
			continue
		}
		result := make(chan []storetest.Violation, 1)
		go func() {
			free <- struct{}{}
			defer func() { <-free }()
			result <- check(func() (storetest.Target, error) { return target(fault), nil })
		}()
		found[fault] = func() []storetest.Violation { return <-result }
	}
	for fault, rules := range faults {
		t.Run("fault="+fault, func(t *testing.T) {
			broken := make(map[string]bool)
			var report strings.Builder
			for _, v := range found[fault]() {
				broken[v.Rule] = true
				fmt.Fprintln(&report, v)
			}
			for _, rule := range rules {
				if !broken[rule] {
					t.Errorf("rule %s is not reported; the report:\n%s", rule, report.String())
				}
			}
			if rules == nil && len(broken) > 0 {
				t.Errorf("a sound store is rejected:\n%s", report.String())
			}
			if rules != nil && !strings.Contains(report.String(), "rule "+rules[0]+": ") {
				t.Errorf("the report does not print the rule:\n%s", report.String())
			}
		})
	}
}

// TestCapabilitiesAreOptional shows that a store of four methods passes.
func TestCapabilitiesAreOptional(t *testing.T) {
	storetest.Run(t, func() (storetest.Target, error) {
		return storetest.Target{Store: struct{ coatcheck.Store }{newFaulty("")}}, nil
	})
}

// TestCapabilitiesMayBeUnsupported shows that a store passes, too, that has each
// method but says of it that it cannot.
func TestCapabilitiesMayBeUnsupported(t *testing.T) {
	storetest.Run(t, func() (storetest.Target, error) {
		return storetest.Target{Store: unable{newFaulty("")}}, nil
	})
}

// unable is a store that wraps one that cannot do more than it must.
type unable struct{ coatcheck.Store }

var errUnable = fmt.Errorf("the store beneath cannot: %w", errors.ErrUnsupported)

func (unable) Touch(context.Context, coatcheck.Record) error { return errUnable }
func (unable) Ping(context.Context) error                    { return errUnable }
func (unable) List(context.Context) iter.Seq2[coatcheck.Record, error] {
	return func(yield func(coatcheck.Record, error) bool) { yield(coatcheck.Record{}, errUnable) }
}
func (unable) ListSubject(context.Context, string) iter.Seq2[coatcheck.Record, error] {
	return func(yield func(coatcheck.Record, error) bool) { yield(coatcheck.Record{}, errUnable) }
}
func (unable) Watch(context.Context, time.Duration, coatcheck.WatchSink) error { return errUnable }

// forgetful is an index that lists nothing.
type forgetful struct{ *faulty }

func (forgetful) ListSubject(context.Context, string) iter.Seq2[coatcheck.Record, error] {
	return func(func(coatcheck.Record, error) bool) {}
}

// withoutWatch hides that the store can watch, for the cases about watches take
// their time and have no part in the faults of other methods.
func withoutWatch(fault string) storetest.Target {
	target := target(fault)
	s := target.Store.(*faulty)
	target.Store = struct {
		coatcheck.Store
		coatcheck.Toucher
		coatcheck.Lister
		coatcheck.SubjectIndex
		coatcheck.Pinger
		io.Closer
	}{s, s, s, s, s, s}
	return target
}

func target(fault string) storetest.Target {
	s := newFaulty(fault)
	return storetest.Target{
		Store: s,
		Other: func() (coatcheck.Store, error) { return other{s}, nil },
		Outage: func() (func() error, error) {
			s.set(&s.down, true)
			return func() error {
				s.set(&s.down, false)
				if fault == "forgets in an outage" {
					s.records = map[string]coatcheck.Record{}
				}
				return nil
			}, nil
		},
		Restart: func() (coatcheck.Store, error) {
			switch fault {
			case "forgets in a restart":
				s.records = map[string]coatcheck.Record{}
			case "revives in a restart":
				maps.Copy(s.records, s.deleted)
			case "forgets subjects in a restart":
				return forgetful{s}, nil
			case "forgets touches":
				for id, deadline := range s.untouched {
					r := s.records[id]
					r.ExpiresAt = deadline
					s.records[id] = r
				}
			}
			return s, nil
		},
	}
}
