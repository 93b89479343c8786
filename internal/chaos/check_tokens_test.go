package chaos

import "testing"

func renewal(node uint8, start, end float64, rev uint32) Record {
	return made(Renew, node, start, end, rev)
}

func graced(r Record) Record {
	r.Grace = true
	return r
}

// by has the operation show the token that was issued at a revision, not that of
// the creation.
func by(r Record, issuedAt uint32) Record {
	r.Secret = opOf(issuedAt)
	return r
}

func revocation(node uint8, start, end float64) Record {
	r := made(Revoke, node, start, end, 0)
	r.Secret = NoSecret
	return r
}

func refused(r Record) Record {
	r.Op += 1000 // it is never made
	return ended(r, NotFound)
}

func failed(r Record) Record { return ended(r, Failed) }

// unknown is a write of which nobody is told, and that no reader sees.
func unknown(r Record) Record { return failed(valued(r, 1, 99)) }

func refresh(node uint8, start, end float64, rev uint32) Record {
	return made(Refresh, node, start, end, rev)
}

// TestCheckFindsOldTokens: where no token is named, that of the creation is shown.
func TestCheckFindsOldTokens(t *testing.T) {
	atOnce := renewal(A, 10, 11, 2)
	tell(t, []story{
		{"read by an old token for as long as is allowed",
			[]Record{atOnce, get(B, 211, 212, 2)}, nil},
		{"read by an old token for a nanosecond longer",
			[]Record{atOnce, later(get(B, 211, 212, 2), 1)}, []Promise{p6}},
		{"what was before the renewal, read by an old token for as long as is allowed",
			[]Record{atOnce, get(B, 211, 212, 1)}, nil},
		{"what was before the renewal, read by an old token for a nanosecond longer",
			[]Record{atOnce, later(get(B, 211, 212, 1), 1)}, []Promise{p1, p6}},
		{"read by an old token where it was renewed",
			[]Record{atOnce, get(A, 12, 13, 2)}, []Promise{p6}},
		{"read by an old token elsewhere",
			[]Record{atOnce, get(B, 12, 13, 2)}, nil},
		{"read by an old token where it was renewed, from the nanosecond on in which that ended",
			[]Record{atOnce, get(A, 11, 13, 2)}, nil},
		{"read by the new token where it was renewed",
			[]Record{atOnce, by(get(A, 12, 13, 2), 2)}, nil},
		{"extended by an old token for as long as is allowed",
			[]Record{atOnce, refresh(B, 211, 212, 2)}, nil},
		{"extended by an old token for a nanosecond longer",
			[]Record{atOnce, later(refresh(B, 211, 212, 2), 1)}, []Promise{p6}},
		{"extended by an old token where it was renewed",
			[]Record{atOnce, refresh(A, 12, 13, 2)}, []Promise{p6}},
		{"changed by an old token",
			[]Record{atOnce, change(B, 12, 13, 3)}, []Promise{p6}},
		{"changed by an old token from the nanosecond on in which the renewal ended",
			[]Record{atOnce, change(B, 11, 13, 3)}, nil},
		{"changed by the new token",
			[]Record{atOnce, by(change(B, 12, 13, 3), 2)}, nil},
		{"updated by an old token",
			[]Record{atOnce, made(Update, B, 12, 13, 3)}, []Promise{p6}},
		{"renewed by an old token",
			[]Record{atOnce, renewal(B, 12, 13, 3)}, []Promise{p6}},
		{"changed by a token before the last but one",
			[]Record{atOnce, by(renewal(A, 20, 21, 3), 2), change(B, 22, 23, 4)}, []Promise{p6}},
		{"not changed by an old token",
			[]Record{atOnce, refused(change(B, 12, 13, 3))}, nil},
		{"changed by the only token after a renewal that failed",
			[]Record{unknown(atOnce), change(B, 12, 13, 2)}, nil},
		{"changed by the only token after a renewal that was given up",
			[]Record{ended(valued(atOnce, 1, 99), Conflict), change(B, 12, 13, 2)}, nil},
		{"changed by a token that had been refused",
			[]Record{unknown(renewal(A, 10, 20, 2)), refused(change(B, 12, 13, 2)), change(A, 14, 15, 2)}, []Promise{p6}},
		{"changed by a token while it is refused",
			[]Record{unknown(renewal(A, 10, 20, 2)), refused(change(B, 12, 14, 2)), change(A, 14, 15, 2)}, nil},
		{"changed by a token that had been refused, which shows that no renewal was the reason",
			[]Record{unknown(atOnce), refused(change(B, 12, 13, 2)), change(A, 14, 15, 2)}, []Promise{p4, p5}},
		{"changed by the new token when the old one had been refused",
			[]Record{atOnce, refused(change(B, 12, 13, 3)), by(change(B, 14, 15, 3), 2)}, nil},
		{"read by a token that its node had refused",
			[]Record{unknown(atOnce), refused(get(B, 12, 13, 1)), get(B, 14, 15, 1)}, []Promise{p3}},
		{"read by a token that another node had refused",
			[]Record{unknown(atOnce), refused(get(B, 12, 13, 1)), get(B+1, 14, 15, 1)}, nil},
		{"read by the new token when its node had refused the old one",
			[]Record{atOnce, refused(get(B, 12, 13, 1)), by(get(B, 14, 15, 2), 2)}, nil},
		{"a token that nobody was given",
			[]Record{by(get(B, 12, 13, 1), 7)}, []Promise{p4}},
		{"a renewal takes the counter from before",
			[]Record{change(A, 10, 11, 2), valued(renewal(A, 12, 13, 3), 1, 2)}, []Promise{p4}},
	})
}

func TestCheckFindsTokensThatShouldWork(t *testing.T) {
	atOnce := renewal(A, 10, 11, 2)
	tell(t, []story{
		{"refused before a renewal began",
			[]Record{refused(get(B, 5, 9, 1)), unknown(atOnce)}, []Promise{p4}},
		{"refused and renewed by the same token",
			[]Record{refused(get(B, 5, 9, 1)), atOnce}, []Promise{p4, p5}},
		{"refused while a renewal began",
			[]Record{refused(get(B, 5, 10, 1)), atOnce}, nil},
		{"refused long after a renewal that failed",
			[]Record{unknown(atOnce), refused(get(B, 5000, 5001, 1))}, nil},
		{"refused after a renewal that was given up",
			[]Record{ended(valued(atOnce, 1, 99), Conflict), refused(get(B, 12, 13, 1))}, []Promise{p4}},
		{"refused after a renewal that failed, and a change since",
			[]Record{unknown(atOnce), change(A, 12, 13, 2), refused(get(B, 14, 15, 2))}, []Promise{p4}},
		{"refused after a renewal that failed, and a change meanwhile",
			[]Record{unknown(atOnce), change(A, 11, 13, 2), refused(get(B, 14, 15, 2))}, nil},
		{"the new token is refused",
			[]Record{atOnce, by(refused(get(B, 12, 13, 2)), 2)}, []Promise{p4}},
		{"the new token is refused after another renewal",
			[]Record{atOnce, by(renewal(A, 20, 21, 3), 2), by(refused(get(B, 22, 23, 2)), 2)}, nil},
		{"the new token is refused after a renewal that failed before it was issued",
			[]Record{unknown(renewal(A, 5, 9, 2)), atOnce, by(refused(get(B, 12, 13, 2)), 2)}, []Promise{p4}},
		{"the new token is refused after a renewal that failed while it was issued",
			[]Record{unknown(renewal(A, 5, 10, 2)), atOnce, by(refused(get(B, 12, 13, 2)), 2)}, nil},
		{"the new token is refused while the session is deleted",
			[]Record{atOnce, by(refused(get(B, 12, 13, 2)), 2), by(failed(deletion(A, 13, 14)), 2)}, nil},
		{"the new token is refused while the old one is used for a deletion",
			[]Record{atOnce, by(refused(get(B, 12, 13, 2)), 2), failed(deletion(A, 13, 14))}, nil},
	})
}

func TestCheckKnowsTheGrace(t *testing.T) {
	// Until 410 to 411 the old token works, by a clock that may be wrong by 5.
	graceful := graced(renewal(A, 10, 11, 2))
	tell(t, []story{
		{"changed by an old token as long as the grace may last",
			[]Record{graceful, change(B, 416, 417, 3)}, nil},
		{"changed by an old token a nanosecond after the grace",
			[]Record{graceful, later(change(B, 416, 417, 3), 1)}, []Promise{p6}},
		{"read by an old token for as long as is allowed after the grace",
			[]Record{graceful, get(B, 616, 617, 2)}, nil},
		{"read by an old token for a nanosecond longer after the grace",
			[]Record{graceful, later(get(B, 616, 617, 2), 1)}, []Promise{p6}},
		{"read by an old token after the grace where it was renewed",
			[]Record{graceful, get(A, 500, 501, 2)}, nil},
		{"refused within the grace",
			[]Record{graceful, later(refused(get(B, 404, 405, 2)), -1)}, []Promise{p4}},
		{"refused when the grace may be over",
			[]Record{graceful, refused(get(B, 404, 405, 2))}, nil},
		{"not changed within the grace",
			[]Record{graceful, refused(change(B, 300, 301, 3))}, []Promise{p4}},
		{"refused within the grace of a renewal that failed",
			[]Record{unknown(graceful), refused(get(B, 300, 301, 2))}, []Promise{p4}},
		{"refused after the grace of a renewal that failed",
			[]Record{unknown(graceful), refused(get(B, 500, 501, 2))}, nil},
		{"refused after a renewal with grace that failed, and a change after that",
			[]Record{unknown(graceful), later(change(A, 416, 417, 2), 1), refused(get(B, 500, 501, 2))}, []Promise{p4}},
		{"refused after a renewal with grace that failed, and a change within that",
			[]Record{unknown(graceful), change(A, 416, 417, 2), refused(get(B, 500, 501, 2))}, nil},
		{"refused within the grace after a deletion",
			[]Record{graceful, by(deletion(A, 20, 21), 2), refused(get(B, 300, 301, 2))}, nil},
		{"refused within the grace after a renewal at once",
			[]Record{graceful, by(renewal(A, 20, 21, 3), 2), refused(get(B, 22, 23, 2))}, nil},
		{"changed within the grace after a renewal at once",
			[]Record{graceful, by(renewal(A, 20, 21, 3), 2), change(B, 22, 23, 4)}, []Promise{p6}},
		{"renewed at once by an old token within the grace",
			[]Record{graceful, renewal(B, 20, 21, 3)}, nil},
		{"renewed with grace by an old token within the grace",
			[]Record{graceful, graced(renewal(B, 20, 21, 3))}, []Promise{p6}},
		{"renewed with grace by an old token, from the nanosecond on in which the other renewal ended",
			[]Record{graceful, graced(renewal(B, 11, 21, 3))}, nil},
		{"renewed with grace by the new token",
			[]Record{graceful, by(graced(renewal(B, 20, 21, 3)), 2)}, nil},
		{"changed by the new token after a renewal at once by an old one",
			[]Record{graceful, renewal(B, 20, 21, 3), by(change(A, 22, 23, 4), 2)}, []Promise{p6}},
		{"the new token is refused after a renewal at once by an old one",
			[]Record{graceful, renewal(B, 20, 21, 3), by(refused(change(A, 22, 23, 4)), 2)}, nil},
		{"the new token is refused within the grace of the old one",
			[]Record{graceful, by(refused(change(A, 12, 13, 3)), 2)}, []Promise{p4}},
	})
}

func TestCheckKnowsWhatADeletionProves(t *testing.T) {
	atOnce := renewal(A, 10, 11, 2)
	tell(t, []story{
		{"read by the new token after a deletion by one that was retired just now",
			[]Record{atOnce, later(deletion(B, 404, 405), -1), by(get(B+1, 9000, 9001, 2), 2)}, []Promise{p1, p5}},
		{"read by the new token after a deletion by one that was retired long ago",
			[]Record{atOnce, deletion(B, 404, 405), by(get(B+1, 9000, 9001, 2), 2)}, nil},
		{"read by the new token on the node of a deletion by one that was retired long ago",
			[]Record{atOnce, deletion(B, 404, 405), by(get(B, 406, 407, 2), 2)}, nil},
		{"changed by the new token after a deletion by one that was retired long ago",
			[]Record{atOnce, deletion(B, 404, 405), by(change(B, 406, 407, 3), 2)}, nil},
		{"read after a deletion by the new token",
			[]Record{atOnce, by(deletion(B, 404, 405), 2), by(get(B+1, 9000, 9001, 2), 2)}, []Promise{p1, p5}},
		{"the new token is refused after a deletion by one that was retired long ago",
			[]Record{atOnce, deletion(B, 404, 405), by(refused(get(B, 406, 407, 2)), 2)}, nil},

		{"read as long after a revocation as is allowed",
			[]Record{revocation(A, 10, 11), get(B, 211, 212, 1)}, nil},
		{"read a nanosecond longer after a revocation",
			[]Record{revocation(A, 10, 11), later(get(B, 211, 212, 1), 1)}, []Promise{p1, p5}},
		{"read after a revocation on its node",
			[]Record{revocation(A, 10, 11), get(A, 12, 13, 1)}, []Promise{p2}},
		{"read after a revocation on its node of what another one was deleting",
			[]Record{failed(deletion(B, 5, 6)), revocation(A, 10, 11), get(A, 12, 13, 1)}, nil},
		{"read after a revocation on its node, while another one deletes as well",
			[]Record{revocation(A, 10, 11), deletion(B, 11, 14), get(A, 12, 13, 1)}, nil},
		{"read after a revocation on its node, before another one deletes as well",
			[]Record{revocation(A, 10, 11), later(deletion(B, 11, 14), 1), get(A, 12, 13, 1)}, []Promise{p2}},
		{"read too long after a revocation of what another node was deleting",
			[]Record{failed(deletion(B, 5, 6)), revocation(A, 10, 11), later(get(A, 211, 212, 1), 1)}, []Promise{p1, p5}},
		{"changed after a revocation",
			[]Record{revocation(A, 10, 11), change(B, 12, 13, 2)}, []Promise{p5}},
		{"extended after a revocation",
			[]Record{revocation(A, 10, 11), refresh(B, 12, 13, 1)}, []Promise{p5}},
		{"renewed after a revocation",
			[]Record{revocation(A, 10, 11), renewal(B, 12, 13, 2)}, []Promise{p5}},
		{"renewed during a revocation, and read long after by the new token",
			[]Record{revocation(A, 10, 13), renewal(B, 11, 12, 2), by(get(B, 9000, 9001, 2), 2)}, []Promise{p1, p5}},
		{"changed during a revocation",
			[]Record{revocation(A, 10, 12), change(B, 11, 13, 2)}, nil},
		{"changed after a revocation that failed",
			[]Record{failed(revocation(A, 10, 11)), change(B, 12, 13, 2)}, nil},
		{"refused after a revocation that failed",
			[]Record{failed(revocation(A, 10, 11)), refused(change(B, 12, 13, 2))}, nil},
		{"refused before a revocation",
			[]Record{refused(get(B, 5, 9, 1)), revocation(A, 10, 11)}, []Promise{p4}},
		{"read after a revocation long after a renewal",
			[]Record{atOnce, revocation(A, 5000, 5001), by(get(B, 9000, 9001, 2), 2)}, []Promise{p1, p5}},
	})
}
