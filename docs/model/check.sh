#!/bin/sh
# Checks the model of the near cache: the protocol must hold in each configuration,
# searched exhaustively, and each mutant must break the promise it is listed with.
# Prints a table; counterexamples are in build/model/<variant>/trace. See README.md.
set -eu

# variant | expected | -D flags. "holds" or the promise that must break; a mutant is
# checked against that promise alone, in the smallest configuration that shows it.
variants='
own-changes          | holds   | DELTA=1 MAXREV=2 WRITER=1
break                | holds   | DELTA=1 MAXREV=2 BREAKS=1
break-own-changes    | holds   | DELTA=1 MAXREV=2 BREAKS=1 WRITER=1 READERS=1
breaks               | holds   | DELTA=1 MAXREV=2 BREAKS=2 READERS=1
patience             | holds   | DELTA=2 MAXREV=2
VACUITY              | hits    | DELTA=1 MAXREV=1
NO_FRESHNESS         | P1      | DELTA=1 MAXREV=1
NO_FILL_GUARD        | P1      | DELTA=1 MAXREV=1
MARK_AFTER_LOOKUP    | P1      | DELTA=1 MAXREV=1
CAUGHT_UP_AT_ANSWER  | P1      | DELTA=1 MAXREV=1
JOIN_ANY_AGE         | P1      | DELTA=1 MAXREV=1
NO_DETACH            | P2      | DELTA=1 MAXREV=1 WRITER=1
NOLOOP_UNREGISTERED  | P1      | DELTA=1 MAXREV=2 WRITER=1
ABANDONED_WRITE      | P1      | DELTA=1 MAXREV=1 WRITER=1
NO_EPOCH             | P1      | DELTA=1 MAXREV=1 BREAKS=1
NO_DIAL_CHECK        | P1      | DELTA=1 MAXREV=1 BREAKS=1
FILL_ANY_EPOCH       | P1      | DELTA=1 MAXREV=1 BREAKS=1
LOAD_IS_NO_REPORT    | P3      | DELTA=1 MAXREV=1 BREAKS=1
LOAD_DETACHES_NOT    | P3      | DELTA=1 MAXREV=1 BREAKS=1
UNHEARD_KEEPS_ENTRY  | P2      | DELTA=1 MAXREV=1 BREAKS=1 WRITER=1
'
depth=200000   # of the search
memory=1900    # MB for one search; two run at a time

# DEEP=1 adds these, which take a few minutes more.
if [ "${DEEP:-}" ]; then
	variants="$variants
break-own-change     | holds   | DELTA=1 MAXREV=1 BREAKS=1 WRITER=1
breaks-own-changes   | holds   | DELTA=1 MAXREV=2 BREAKS=2 WRITER=1 READERS=1
three-readers        | holds   | DELTA=1 MAXREV=1 READERS=3
patience-break       | holds   | DELTA=2 MAXREV=1 BREAKS=1
"
fi

cd "$(dirname "$0")/../.."
model=$PWD/docs/model/nearcache.pml

# figure PATTERN prints the number that stands before, or after, some words in the
# output of the search.
figure() { sed -nE "s/$1/\\1/p" pan.out | head -n 1; }

# check "variant | expected | flags" leaves its row of the table in row, and the file
# "good" if things are as expected.
check() {
	name=$(echo "$1" | cut -d'|' -f1 | tr -d ' ')
	expected=$(echo "$1" | cut -d'|' -f2 | tr -d ' ')
	flags=$(echo "$1" | cut -d'|' -f3 | sed -E 's/([A-Z_]+=)/-D\1/g')
	search=
	case $expected in
	holds) ;;
	hits) flags="$flags -D$name -DSHORTEST" search=-DBFS ;;
	P*) flags="$flags -D$name -DONLY=${expected#P} -DSHORTEST" search=-DBFS ;;
	esac

	dir=build/model/$name
	rm -rf "$dir"
	mkdir -p "$dir"
	cd "$dir"
	cp "$model" nearcache.pml
	# No partial order reduction: every interleaving is searched.
	# shellcheck disable=SC2086 # one word a flag
	spin -a $flags nearcache.pml >spin.out 2>&1 &&
		"${CC:-cc}" -O2 -w -DSAFETY -DNOREDUCE $search -DMEMLIM=$memory -o pan pan.c >cc.out 2>&1 || {
		printf '%-20s %-8s %s\n' "$name" "$expected" "does not compile: see $dir" >row
		return
	}
	start=$(date +%s)
	status=0
	./pan -m$depth -w24 >pan.out 2>&1 || status=$?
	seconds=$(($(date +%s) - start))

	if [ "$status" -eq 0 ] && grep -q 'errors: 0$' pan.out &&
		! grep -qiE 'max search depth too small|search not completed|out of memory|aborted|truncated' pan.out; then
		result=holds
	elif grep -q 'assertion violated' pan.out && [ -e nearcache.pml.trail ]; then
		result=breaks
		# shellcheck disable=SC2086
		spin -t -T $flags nearcache.pml >trace 2>&1 || true
	else
		result=UNKNOWN # not searched to the end, or it went wrong
	fi
	case $expected-$result in
	holds-holds | P*-breaks | hits-breaks) touch good; verdict= ;;
	*) verdict='  <-- not as expected' ;;
	esac
	printf '%-20s %-8s %-8s %10s %12s %8s %8s %5s%s\n' "$name" "$expected" "$result" \
		"$(figure '^ *([0-9.e+]+) states, stored.*')" "$(figure '^ *([0-9.e+]+) transitions.*')" \
		"$(figure '.*depth reached ([0-9]+),.*')" "$(figure '^ *([0-9]+)\.[0-9]+.total actual memory usage.*')" \
		"$seconds" "$verdict" >row
}

if [ "${1:-}" = one ]; then
	check "$2"
	exit
fi

rm -rf build/model
mkdir -p build/model
echo "$variants" | sed '/^$/d' | tr '\n' '\0' | xargs -0 -n 1 -P 2 "$0" one || true

printf '%-20s %-8s %-8s %10s %12s %8s %8s %5s\n' variant expected result states transitions depth MB s
failed=0
for name in $(echo "$variants" | cut -d'|' -f1); do
	cat "build/model/$name/row" 2>/dev/null || echo "$name: no result"
	[ -e "build/model/$name/good" ] || failed=1
done
if [ $failed -ne 0 ]; then
	echo "check: not as expected; counterexamples are in build/model/<variant>/trace" >&2
fi
exit $failed
