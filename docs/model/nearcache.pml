/*
 * The near cache: one node in every detail, all other nodes as "Elsewhere", one
 * server, one record. README.md says what is promised, what was left out and
 * why, and how to read a counterexample. `make model` checks it.
 *
 * Every d_step below is one atomic step of the protocol. Between any two of them
 * anything else may happen and any time may pass: that is a slow network as well
 * as a paused process.
 *
 * Times are kept as ages: a field called sentAt or caughtUp holds how many ticks
 * ago that was, and no more than OLD. So "now - sentAt <= DELTA" is written
 * sentAt <= DELTA, and the later of two times is the smaller age. Nothing in the
 * protocol asks how much older than DELTA something is, so time has no end here.
 */

/* Bounds; the configurations of check.sh set them with -D. */
#ifndef DELTA
#define DELTA 2           /* MaxStaleness, in ticks */
#endif
#ifndef MAXREV
#define MAXREV 2          /* changes, here and elsewhere taken together */
#endif
#ifndef BREAKS
#define BREAKS 0          /* how often the connection breaks */
#endif
#ifndef READERS
#define READERS 2         /* concurrent calls of Get on the node; each repeats for ever */
#endif
#ifndef WRITER
#define WRITER 0          /* 1: the node changes the record, too */
#endif

#define OLD     (DELTA + 1)
#define UNKNOWN (MAXREV + 1)  /* a revision that is not known: later than any */
#define NOBODY  255

/* Who a message in the stream is for: a reader by its number, or one of these. */
#define CHANGER READERS
#define WATCH   (READERS + 1)
#define CACHE   (READERS + 2)  /* an invalidation */

/* The guards that a mutant does without; the other mutants are further down. */
#ifdef NO_FILL_GUARD
#define NOTHING_NEWER(i, r) true
#else
#define NOTHING_NEWER(i, r) (ticket[i].reported <= (r))
#endif
#ifdef FILL_ANY_EPOCH
#define SAME_EPOCH(i) true
#else
#define SAME_EPOCH(i) (ticket[i].epoch == epoch)
#endif
#ifdef NO_FRESHNESS
#define FRESH(sentAt, caughtUp) true
#else
#define FRESH(sentAt, caughtUp) (sentAt <= DELTA || caughtUp <= DELTA)
#endif
#ifdef JOIN_ANY_AGE
#define YOUNG(condition) true
#else
#define YOUNG(condition) (condition)
#endif
#ifdef NO_DIAL_CHECK
#define SAME_CONNECTION true
#else
#define SAME_CONNECTION (watch_dial == dials)
#endif

/* Scratch variables mean nothing between steps; Spin's breadth-first search, which
   finds the shortest counterexample, needs them to be variables like any other. */
#ifdef SHORTEST
#define scratch
#else
#define scratch hidden
#endif

/* ---- The server ---------------------------------------------------------- */

byte rev;                 /* of the record; a deletion is the last change */
bit  tracked;             /* the server will tell this node of the next change */

/* The one ordered connection from the server to the node: replies, invalidations
   and answers to pings. Each reader, the writer and the watch have one request
   under way at most, and a change elsewhere adds one invalidation. */
chan stream = [READERS + 2 + MAXREV] of { byte, byte };  /* for whom, revision */

/* ---- The node ------------------------------------------------------------ */

byte dials = 0;           /* how often the node has connected anew */
byte epoch = 0;           /* how often Lost was called */

typedef Mark   { byte caughtUp; byte epoch };
typedef Entry  { byte rev; byte sentAt; byte epoch; bit present };
typedef Ticket { byte sentAt; byte epoch; byte reported; bit open };

Mark   mark;              /* always read and written as a pair */
Entry  entry;
Ticket ticket[READERS + 1];  /* of the readers' loads and the writer's change */
byte   flight = NOBODY;   /* the reader whose load others may join */

/* A call of Get. */
mtype = { idle, marked, missed, registered, sent, answered, joined, unheard };
typedef Get {
	mtype at = idle;
	byte floor;                /* the least revision that the promises allow */
	Mark mark;                 /* step 1 */
#ifdef MARK_AFTER_LOOKUP
	Entry entry;
#endif
	bit  tooOld;               /* step 3: the load under way is too old to join */
	byte loaded;               /* step 6: the answer to the load */
	byte leader;               /* whose load it has joined */
};
Get get[READERS];

mtype change = idle;      /* the writer */
byte  wrote;              /* the revision that its change got at the server */

mtype = { resting, losing, pinging, pinged, ponged };
mtype watch = resting;
byte  watch_dial;         /* the dial counter before the ping */
byte  watch_lost;         /* the dial counter up to which Lost was called */
byte  watch_p;            /* the time before the ping was sent */

#ifdef ABANDONED_WRITE
bit   abandoned;          /* the writer has given up, the server will yet execute */
#endif

/* ---- The promises -------------------------------------------------------- */

byte promised;            /* what a Get that starts now must return at least */
byte returned[MAXREV + 1];  /* 1 + the age of the change's return; 0: not yet, or promised */

#ifdef ONLY               /* check this promise alone */
#define P(n) (ONLY == n)
#else
#define P(n) true
#endif

scratch byte k, j;        /* counters of loops */

inline raise(a, b) { if :: (a) < (b) -> a = b :: else fi }
inline older(a)    { if :: (a) < OLD -> a++ :: else fi }

inline Promise(n, r) {
	if
	:: P(n) && promised < (r) ->
		promised = r;
		j = 1;
		do
		:: j <= promised -> returned[j] = 0; j++
		:: else -> break
		od;
		j = 0
	:: else
	fi
}

/* The change to r returns now. P1 will hold it against every Get that starts more
   than DELTA later, and with it the changes before it. */
inline Returned(r) {
	k = promised + 1;
	do
	:: P(1) && k <= (r) -> raise(returned[k], 1); k++
	:: else -> break
	od;
	k = 0
}

/* A Get ends with this result. */
scratch byte result;

inline Return(i) {
	printf("get %d: returns revision %d, at least %d was promised\n", i, result, get[i].floor);
	assert(result >= get[i].floor);
	Promise(3, result);
	Forget(i)
}

inline Forget(i) {
	get[i].at = idle; get[i].floor = 0; get[i].tooOld = 0; get[i].loaded = 0; get[i].leader = 0
}

/* ---- What the node does on its own, each under one lock -------------------- */

/* The record has reached revision r: sink.Changed. The ticket "mine" is that of
   the call which learned of it. */
inline Changed(r, mine) {
	if
	:: entry.present && entry.rev < (r) -> Drop()
	:: else
	fi;
	k = 0;
	do
	:: k <= READERS ->
		if
		:: ticket[k].open && k != (mine) -> raise(ticket[k].reported, r)
		:: else
		fi;
		k++
	:: else -> break
	od;
	k = 0
}

inline Detach() { flight = NOBODY }

inline Drop() { entry.present = 0; entry.rev = 0; entry.sentAt = 0; entry.epoch = 0 }

inline Register(i) {
	ticket[i].open = 1; ticket[i].sentAt = 0; ticket[i].epoch = epoch; ticket[i].reported = 0
}

inline Unregister(i) {
	ticket[i].open = 0; ticket[i].sentAt = 0; ticket[i].epoch = 0; ticket[i].reported = 0
}

/* Cache what ticket i brought, unless something newer was reported meanwhile. */
inline Fill(i, r) {
	if
	:: NOTHING_NEWER(i, r) && SAME_EPOCH(i) ->
		entry.present = 1; entry.rev = r; entry.sentAt = ticket[i].sentAt; entry.epoch = epoch
	:: else
	fi
}

/* ---- Get ------------------------------------------------------------------- */

/* What was looked up: entry, with the mark that was read. If it is fresh, the Get
   returns it at once: were it later, the others would be promised less. And it may
   always miss, since the clock is read later than the entry, or the entry was
   evicted. */
#ifdef MARK_AFTER_LOOKUP
#define MARK  mark
#define ENTRY get[i].entry
#else
#define MARK  get[i].mark
#define ENTRY entry
#endif

inline Judge(i) {
	if
	:: ENTRY.present && ENTRY.epoch == MARK.epoch && FRESH(ENTRY.sentAt, MARK.caughtUp) ->
		printf("get %d: hit, loaded %d ticks ago\n", i, ENTRY.sentAt);
#ifdef VACUITY
		assert(ENTRY.sentAt <= DELTA);
#endif
		result = ENTRY.rev;
		Return(i);
		result = 0
	:: true ->
		get[i].tooOld = (flight != NOBODY && ticket[flight].sentAt > DELTA);
		get[i].at = missed
	fi
}

proctype Reader(byte i) {
	do
#ifndef MARK_AFTER_LOOKUP
	/* 0, 1: start, and load the mark pair. Were the start earlier, less would be
	   promised. */
	:: d_step { get[i].at == idle ->
		get[i].floor = promised;
		get[i].mark.caughtUp = mark.caughtUp; get[i].mark.epoch = mark.epoch;
		printf("get %d: starts, loads the mark: %d ticks old, epoch %d\n", i, mark.caughtUp, mark.epoch);
		get[i].at = marked }

	/* 2, 3: look the entry up, read the clock, serve what is fresh. */
	:: atomic { get[i].at == marked ->
		printf("get %d: looks up, present %d, revision %d\n", i, entry.present, entry.rev);
		Judge(i);
		get[i].mark.caughtUp = 0; get[i].mark.epoch = 0 }
#else
	:: d_step { get[i].at == idle ->
		get[i].floor = promised;
		get[i].entry.present = entry.present; get[i].entry.rev = entry.rev;
		get[i].entry.sentAt = entry.sentAt; get[i].entry.epoch = entry.epoch;
		printf("get %d: starts, looks up, present %d, revision %d\n", i, entry.present, entry.rev);
		get[i].at = marked }
	:: atomic { get[i].at == marked ->
		printf("get %d: loads the mark: %d ticks old, epoch %d\n", i, mark.caughtUp, mark.epoch);
		Judge(i);
		get[i].entry.present = 0; get[i].entry.rev = 0; get[i].entry.sentAt = 0; get[i].entry.epoch = 0 }
#endif

	/* 4: join the load under way if it began at most DELTA ago, by the clock of
	   step 3 ... */
	:: d_step { get[i].at == missed && flight != NOBODY && YOUNG(!get[i].tooOld) ->
		printf("get %d: joins the load of get %d\n", i, flight);
		get[i].leader = flight; get[i].tooOld = 0; get[i].at = joined }

	/* ... or load, which a Get is always free to do. */
	:: d_step { get[i].at == missed ->
		Register(i); flight = i;
		k = 0;
		do
		:: k < READERS -> get[k].tooOld = 0; k++
		:: else -> break
		od;
		k = 0;
		printf("get %d: registers a load in epoch %d\n", i, epoch);
		get[i].at = registered }

	/* 5: the read is sent over the connection of the moment, and executed. */
	:: d_step { get[i].at == registered ->
		tracked = 1; stream!i,rev;
		printf("get %d: server reads revision %d\n", i, rev);
		get[i].at = sent }

	/* 6: Receive hands the answer over, or a Break fails the load. */

	/* 7: what was loaded is a report to everybody else; cache it; return it to
	   all who wait for it. */
	:: d_step { get[i].at == answered ->
		if
		:: flight == i -> Detach()
		:: else
		fi;
#ifndef LOAD_IS_NO_REPORT
		Changed(get[i].loaded, i);
#ifndef LOAD_DETACHES_NOT
		Detach();
#endif
#endif
		Fill(i, get[i].loaded);
		Unregister(i);
		result = get[i].loaded;
		printf("get %d: load ends, cached: %d\n", i, entry.present && entry.rev == result);
		k = 0;
		do
		:: k < READERS ->
			if
			:: get[k].at == joined && get[k].leader == i -> Return(k)
			:: else
			fi;
			k++
		:: else -> break
		od;
		k = 0;
		Return(i);
		result = 0 }
	od
}

/* ---- Change ---------------------------------------------------------------- */

proctype Writer() {
	do
	:: d_step { change == idle && rev < MAXREV ->
		Register(CHANGER);
		printf("change: begins\n");
		change = registered }

	/* The script changes the record, and reads it at the end, which registers
	   this node again. Its own stream gets no invalidation (NOLOOP). */
	:: d_step { change == registered && rev < MAXREV ->
		rev++; wrote = rev;
#ifdef NOLOOP_UNREGISTERED
		tracked = 0;
#else
		tracked = 1;
#endif
		stream!CHANGER,rev;
		printf("change: server goes to revision %d\n", rev);
		change = sent }

	/* The answer has come: report, then cache, then return. */
	:: d_step { change == answered ->
		Changed(wrote, CHANGER);
#ifndef NO_DETACH
		Detach();
#endif
		Fill(CHANGER, wrote);
		Unregister(CHANGER);
		printf("change: returns revision %d, cached: %d\n", wrote, entry.present && entry.rev == wrote);
		Returned(wrote);
		Promise(2, wrote);
		wrote = 0; change = idle }

	/* No answer will come: whatever is known may be wrong, and is dropped. So P1
	   and P2 hold for this change, too, if it was executed. Had the change not
	   reached the server when the connection broke, it may yet be executed, as a
	   change by another client: that is what Elsewhere does. */
	:: d_step { change == unheard || (change == registered && dials > 0) ->
#ifndef UNHEARD_KEEPS_ENTRY
		Changed(UNKNOWN, CHANGER); Detach();
#endif
		Unregister(CHANGER);
		printf("change: fails, its outcome unknown\n");
		if :: wrote > 0 -> Returned(wrote); Promise(2, wrote) :: else fi;
		wrote = 0; change = idle }

#ifdef ABANDONED_WRITE
	/* The caller's context ends, but the connection lives. */
	:: d_step { change == registered && !abandoned ->
		Changed(UNKNOWN, CHANGER); Detach(); Unregister(CHANGER);
		printf("change: is given up\n");
		abandoned = 1; change = idle }
	:: d_step { abandoned && rev < MAXREV ->
		rev++; tracked = 1; Returned(rev);
		printf("change: server goes to revision %d all the same\n", rev);
		abandoned = 0 }
#endif
	od
}

/* ---- The stream from the server, in order ---------------------------------- */

scratch byte to, what;

proctype Receive() {
	do
	:: d_step { len(stream) > 0 ->
		stream?to,what;
		if
		:: to < READERS  -> get[to].loaded = what; get[to].at = answered;
			printf("receive: answer to get %d, revision %d\n", to, what)
		:: to == CHANGER -> change = answered;
			printf("receive: answer to the change, revision %d\n", what)
		:: to == WATCH   -> watch = ponged;
			printf("receive: answer to the ping\n")
		:: to == CACHE   -> Changed(UNKNOWN, NOBODY); Detach();
			printf("receive: invalidation\n")
		fi;
		to = 0; what = 0 }
	od
}

/* ---- Watch: Lost and CaughtUp ---------------------------------------------- */

proctype Watch() {
	do
	/* Read the dial counter. */
	:: d_step { watch == resting ->
		watch_dial = dials;
		if
		:: watch_dial != watch_lost -> watch = losing
		:: else -> watch = pinging
		fi }

	/* Lost. */
	:: d_step { watch == losing ->
#ifndef NO_EPOCH
		epoch++;
#endif
		watch_lost = watch_dial;
		printf("watch: Lost, epoch %d\n", epoch);
		watch = pinging }

	/* p = now; the ping is sent over the connection of the moment, and executed.
	   Were p earlier, the mark would allow less. */
	:: d_step { watch == pinging ->
		watch_p = 0; stream!WATCH,0;
		printf("watch: ping\n");
		watch = pinged }

	/* The answer is here: CaughtUp(p), if it came over the same connection. */
	:: d_step { watch == ponged ->
#ifdef CAUGHT_UP_AT_ANSWER
		watch_p = 0;
#endif
		if
		:: !SAME_CONNECTION -> printf("watch: answer refused\n")
		:: else ->
			mark.caughtUp = watch_p; mark.epoch = epoch;
			printf("watch: CaughtUp %d ticks ago, epoch %d\n", watch_p, epoch)
		fi;
		watch_p = 0; watch_dial = 0; watch = resting }
	od
}

/* ---- The rest of the world -------------------------------------------------- */

/* A change on another node. It returns at once: were it later, less would be
   promised. */
proctype Elsewhere() {
	do
	:: d_step { rev < MAXREV ->
		rev++;
		if :: tracked -> stream!CACHE,0 :: else fi;
		tracked = 0;
		Returned(rev);
		printf("elsewhere: a change to revision %d\n", rev) }
	od
}

/* The connection breaks and the next one is there. What was in flight is lost;
   the server forgets what it tracked. The node's requests use the new connection
   from now on, whether or not Watch has noticed. */
proctype Break() {
	do
	:: d_step { dials < BREAKS ->
		dials++; tracked = 0;
		do
		:: len(stream) > 0 -> stream?_,_
		:: else -> break
		od;
		k = 0;
		do      /* first those who wait for somebody else's load ... */
		:: k < READERS ->
			if
			:: get[k].at == joined ->
				if :: get[get[k].leader].at == sent -> Forget(k) :: else fi
			:: else
			fi;
			k++
		:: else -> break
		od;
		k = 0;
		do      /* ... then the loads */
		:: k < READERS ->
			if
			:: get[k].at == sent ->
				Unregister(k);
				if :: flight == k -> Detach() :: else fi;
				Forget(k)
			:: else
			fi;
			k++
		:: else -> break
		od;
		k = 0;
		if :: change == sent -> change = unheard :: else fi;
		if :: watch == pinged -> watch_p = 0; watch_dial = 0; watch = resting :: else fi;
		printf("break: the connection breaks\n") }
	od
}

/* A tick of the clock: everything gets older. */
proctype Clock() {
	do
	:: d_step { true ->
		printf("tick\n");
		if :: entry.present -> older(entry.sentAt) :: else fi;
		older(mark.caughtUp);
		if :: watch == pinged || watch == ponged -> older(watch_p) :: else fi;
		k = 0;
		do
		:: k <= READERS ->
			if :: ticket[k].open -> older(ticket[k].sentAt) :: else fi;
			k++
		:: else -> break
		od;
		k = 0;
		do
		:: k < READERS ->
			if
			:: get[k].at == marked ->
#ifdef MARK_AFTER_LOOKUP
				if :: get[k].entry.present -> older(get[k].entry.sentAt) :: else fi
#else
				older(get[k].mark.caughtUp)
#endif
			:: else
			fi;
			k++
		:: else -> break
		od;
		k = 1;
		do
		:: k <= MAXREV ->
			if :: returned[k] > 0 -> returned[k]++ :: else fi;
			if :: returned[k] > OLD -> Promise(1, k) :: else fi;
			k++
		:: else -> break
		od;
		k = 0 }
	od
}

init {
	atomic {
		mark.caughtUp = OLD;
		k = 0;
		do
		:: k < READERS -> run Reader(k); k++
		:: else -> break
		od;
		k = 0;
		run Receive(); run Watch(); run Elsewhere(); run Clock();
#if WRITER
		run Writer();
#endif
#if BREAKS
		run Break();
#endif
	}
}
