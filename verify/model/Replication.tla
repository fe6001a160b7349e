------------------------------ MODULE Replication ------------------------------
(* One replication group: Raft over byte offsets, as src/raft has it. R1, R2, R5,
   R9 and R10 are the laws of docs/laws.md.

   A log is the sequence of the positions that it holds. A position is
   <<epoch, offset>>. The first position of an epoch is its start M(epoch, offset),
   an entry without width, so it repeats the offset before it; each further one is
   a record. << <<1,0>>, <<1,1>>, <<2,1>>, <<2,2>> >> is M(1,0), a record, M(2,1), a
   record: its end is (2,2), its epoch table 1@0, 2@1.

   A disk is the sequence of states <<durable, ..., accepted>>: the first survives a
   crash, the last is what the process works with. Each is one journal record more
   than the one before; Sync makes the next one durable. A truncation is one record
   with the entries that caused it (R1), a term one with the vote.

   Messages are not kept in a set. What may be in flight follows from the state,
   now or earlier, and all of it may still come:
   - Appends. Within its epoch a leader's log only grows, so whatever was ever sent
     in epoch t is a slice of led[t], which outlives the leader. A replica may take
     any slice of it at any time (late, again, out of order, split), or never.
   - Commits. An older one does only what an earlier delivery would have done.
   - Acknowledgements and grants count as soon as they may leave. One that is lost
     is one whose Sync or Vote did not happen.
   - Refusals and epoch tables only choose where a leader begins; here it begins
     anywhere.

   Steps that only forbid are left out: a replica without them can do all that it
   can do with them, so whatever goes wrong with them goes wrong without.
   - Learning a higher term and nothing else.
   - Campaigning in vain, a vote for who is not elected, a vote request that comes
     when its candidacy is over. (A candidate does nothing while it waits, so its
     campaign is one step with the first vote that it is granted.)
   - Pre-votes: they only keep candidates from starting. Any node may at any time.
   - A leader that stops leading, a process that stops, a crash that loses nothing.
   - A follower's crash between a write and its sync (unless SlowFollowers): it is as if
     the message had not come yet, since any vote makes durable what was written before. *)

EXTENDS Naturals, Sequences, FiniteSets, TLC

CONSTANTS
  Nodes,        \* the voters, fixed
  None,         \* no vote
  MaxEpoch,     \* bound: epochs 1..MaxEpoch
  MaxOffset,    \* bound: records in a log
  MaxUnsynced,  \* bound: journal records of a node that wait for a sync
  MaxDamages,   \* bound: how often a replica is damaged
  SlowFollowers,\* whether a follower's writes wait for a Sync too
  Compacted,    \* whether replicas begin anew where the leader removed tombstones
  Variant,      \* "sound", or the rule that is broken
  Script        \* the steps to begin with; <<>> leaves all open

VARIABLES
  disk,       \* [Nodes -> Seq([term, vote, log, suspect])], never empty
  role,       \* [Nodes -> {"follower", "candidate", "leader"}], in its accepted term
  votes,      \* [Nodes -> SUBSET Nodes]: the grants that a candidate has
  led,        \* [epoch -> the log of its leader as far as it was ever sent, or <<>>]
  elections,  \* [epoch -> how often a leader was elected]
  acked,      \* [epoch -> [Nodes -> n]]: the first n entries, as its leader counts them
  committed,  \* [epoch -> n]: the first n entries, as its leader committed them
  rounds,     \* [epoch -> [suspect -> <<from, who>> or <<>>]]: see Meet
  damages,
  late,       \* [Nodes -> <<term, end>> or <<>>]: a vote request from before a damage
  last,       \* the step that led here: for people, and for scripts
  at          \* the next step of the script

core == <<disk, role, votes, led, elections, acked, committed, rounds, damages, late, at>>
vars == <<core, last>>

Epochs == 1..MaxEpoch
Sizes == 1..(MaxEpoch + MaxOffset)
Broken(rule) == Variant = rule
Max(a, b) == IF a > b THEN a ELSE b
Min(a, b) == IF a < b THEN a ELSE b
Greatest(set) == CHOOSE x \in set : \A y \in set : y <= x
Majority(set) == 2 * Cardinality(set) > Cardinality(Nodes)

--------------------------------------------------------------------------------
(* Logs and positions (R1) *)

End(log) == IF log = <<>> THEN <<0, 0>> ELSE log[Len(log)]
Before(p, q) == p[1] < q[1] \/ (p[1] = q[1] /\ p[2] < q[2])
Holds(log, p) == \E k \in DOMAIN log : log[k] = p
IndexOf(log, p) == CHOOSE k \in DOMAIN log : log[k] = p
IsStart(log, k) == k = 1 \/ log[k - 1][1] # log[k][1]
Prefix(log, n) == SubSeq(log, 1, n)
Records(log, n) == {log[k] : k \in {x \in 1..n : ~IsStart(log, x)}}
Agree(log, n, other, m) == Prefix(log, Min(n, m)) = Prefix(other, Min(n, m))

\* The largest n <= limit such that `other` holds entry n of `log`; 0 when none.
RECURSIVE Shared(_, _, _)
Shared(log, other, limit) ==
  IF limit = 0 THEN 0
  ELSE IF Holds(other, log[limit]) THEN limit ELSE Shared(log, other, limit - 1)

\* The first n entries stay: truncation to the position of entry n. One by offset, as
\* Kafka's cache does it, takes the epoch starts at that offset too.
RECURSIVE Truncated(_, _)
Truncated(log, n) ==
  IF Broken("truncate-by-offset") /\ n > 0 /\ IsStart(log, n)
  THEN Truncated(log, n - 1) ELSE Prefix(log, n)

RECURSIVE WithoutEmptyEpochs(_, _)
WithoutEmptyEpochs(log, k) ==
  LET isEmpty == IsStart(log, k) /\ (k = Len(log) \/ log[k + 1][1] # log[k][1])
  IN IF k > Len(log) THEN <<>>
     ELSE (IF isEmpty THEN <<>> ELSE <<log[k]>>) \o WithoutEmptyEpochs(log, k + 1)

--------------------------------------------------------------------------------
(* Replicas *)

Durable(i) == disk[i][1]
Accepted(i) == disk[i][Len(disk[i])]
Leads(i, t) == role[i] = "leader" /\ Accepted(i).term = t

\* One more journal record; it waits for a sync.
Write(i, state) ==
  /\ Len(disk[i]) <= MaxUnsynced
  /\ disk' = [disk EXCEPT ![i] = Append(@, state)]

NoAcks == [k \in Nodes |-> 0]
NoRounds == [k \in Nodes |-> <<>>]

\* What a leader counted dies with its leadership.
AcksWithout(i) ==
  IF role[i] = "leader" THEN [acked EXCEPT ![Accepted(i).term] = NoAcks] ELSE acked
RoundsWithout(i) ==
  IF role[i] = "leader" THEN [rounds EXCEPT ![Accepted(i).term] = NoRounds] ELSE rounds

--------------------------------------------------------------------------------
(* Acknowledgement and commit (R2, R9) *)

(* How many entries of its leader's log a replica with this disk acknowledges: what is
   durable of the prefix that agrees with that leader, while its durable term has
   reached the epoch and its accepted term is still the same (a change of term cancels
   what was not sent). A suspect acknowledges nothing. Less than a position of the own
   epoch can't commit and is kept as 0. The leader counts itself by the same test. *)
AckLength(states, log, epoch, leads) ==
  LET accepted == states[Len(states)]
      early == \/ leads /\ Broken("leader-counts-unsynced")
               \/ ~leads /\ Broken("follower-acks-unsynced")
      state == IF early THEN accepted ELSE states[1]
      m == Shared(log, state.log, Len(log))
      sameBytes == {k \in 1..Len(log) : k > m /\ Holds(accepted.log, log[k])
                      /\ log[k][2] = (IF m = 0 THEN 0 ELSE log[m][2])}
      n == IF Broken("epoch-start-not-durable") THEN Greatest(sameBytes \cup {m}) ELSE m
  IN IF n = 0 \/ states[1].suspect THEN 0
     ELSE IF state.term < epoch /\ n = m THEN 0
     ELSE IF log[n][1] = epoch \/ Broken("commit-older-epoch") THEN n
     ELSE 0

\* The acknowledgements, these before, when replica i has come to these states.
Acknowledged(i, acks, states, logs, leads) ==
  LET t == states[Len(states)].term
      heard(e) == (leads /\ e = t) \/ \E k \in Nodes \ {i} : Leads(k, e)
  IN IF t = 0 THEN acks
     ELSE IF Broken("acks-of-any-epoch") THEN
       [e \in Epochs |->
          IF heard(e) /\ states[1].term = t
          THEN [acks[e] EXCEPT ![i] = Max(@, AckLength(states, logs[e], e, leads))]
          ELSE acks[e]]
     ELSE IF heard(t) THEN [acks EXCEPT ![t][i] = Max(@, AckLength(states, logs[t], t, leads))]
     ELSE acks

\* Only a position of the own epoch commits, acknowledged in this epoch by a majority.
MayCommit(t, n, logs, acks) ==
  /\ logs[t][n][1] = t \/ Broken("commit-older-epoch")
  /\ Majority({k \in Nodes : acks[t][k] >= n})

(* Without damages a leader commits at once all that it may: an earlier commit promises
   more. Acknowledgements that say nothing beyond the commit are then forgotten. With
   damages a suspect's return depends on the commit, so Commit is a step of its own. *)
Settle(acks, logs) ==
  IF MaxDamages > 0 \/ acks = acked THEN acked' = acks /\ committed' = committed
  ELSE LET best(t) == Greatest({committed[t]} \cup
                        {n \in 1..Len(logs[t]) : n > committed[t] /\ MayCommit(t, n, logs, acks)})
       IN /\ committed' = [t \in Epochs |-> IF acks[t] = NoAcks THEN committed[t] ELSE best(t)]
          /\ acked' = [t \in Epochs |-> IF acks[t] = NoAcks THEN NoAcks ELSE
                        [k \in Nodes |-> IF acks[t][k] > committed'[t] THEN acks[t][k] ELSE 0]]

Commit(i, n) ==
  LET t == Accepted(i).term IN
  /\ role[i] = "leader" /\ MaxDamages > 0
  /\ committed[t] < n /\ n <= Len(led[t])
  /\ MayCommit(t, n, led, acked)
  /\ committed' = [committed EXCEPT ![t] = n]
  /\ UNCHANGED <<disk, role, votes, led, elections, acked, rounds, damages, late>>

--------------------------------------------------------------------------------
(* Elections (R2) *)

HighestTerm == Greatest({Accepted(i).term : i \in Nodes})
Trusted(state) == ~state.suspect \/ Broken("suspect-votes")

\* Above any term that it knows, and it may have heard of any that there is. No process
\* resumes an epoch: a candidacy ends with the process, the next one is of a new term.
MayCampaign(i, t) ==
  /\ Trusted(Accepted(i))
  /\ Accepted(i).term < t /\ t <= Min(MaxEpoch, HighestTerm + 1)

\* Votes compare the accepted end, synced or not, by position.
GoodEnough(end, voter) ==
  LET own == End(IF Broken("durable-votes-late-acks") THEN Durable(voter).log
                 ELSE Accepted(voter).log)
  IN IF Broken("votes-by-offset") THEN end[2] >= own[2] ELSE ~Before(end, own)

MayVote(j, c, t, end) ==
  LET s == Accepted(j) IN
  /\ j # c /\ Trusted(s)
  /\ s.term < t \/ (s.term = t /\ s.vote = None)
  /\ GoodEnough(end, j)

(* Replica j votes for c in term t, by c's request with this end. Request and grant leave
   when (term, vote) is durable on its side, and then all before it is durable too; a crash
   before leaves no trace. So both are durable in this step. With a majority c leads: it
   appends M(t), an entry like any other, which it has still to sync. *)
Voted(j, c, t, end) ==
  LET voter == Accepted(j)
      candidate == [Accepted(c) EXCEPT !.term = t, !.vote = c]
      vote == [voter EXCEPT !.term = t, !.vote = c]
      cast == (IF role[c] = "candidate" /\ Accepted(c).term = t THEN votes[c] ELSE {c}) \cup {j}
      log == Append(candidate.log, <<t, End(candidate.log)[2]>>)
      wins == Majority(cast)
      counted == IF Broken("durable-votes-late-acks")
                 THEN Acknowledged(j, acked, <<voter>>, led, FALSE) ELSE acked
      forgotten(k) == role[k] = "leader" /\ (k = c \/ voter.term < t)
  IN
  /\ disk' = [disk EXCEPT
       ![j] = IF Broken("vote-not-persisted") THEN Append(@, vote) ELSE <<vote>>,
       ![c] = IF wins THEN <<candidate, [candidate EXCEPT !.log = log]>> ELSE <<candidate>>]
  /\ role' = [role EXCEPT ![j] = IF voter.term < t THEN "follower" ELSE @,
                          ![c] = IF wins THEN "leader" ELSE "candidate"]
  /\ votes' = [votes EXCEPT ![j] = IF voter.term < t THEN {} ELSE @,
                            ![c] = IF wins THEN {} ELSE cast]
  /\ led' = IF wins THEN [led EXCEPT ![t] = log] ELSE led
  /\ elections' = IF wins THEN [elections EXCEPT ![t] = @ + 1] ELSE elections
  /\ LET gone == {Accepted(k).term : k \in {x \in {j, c} : forgotten(x)}}
         acks == [e \in Epochs |-> IF e \in gone THEN NoAcks ELSE counted[e]]
     IN /\ rounds' = [e \in Epochs |-> IF e \in gone THEN NoRounds ELSE rounds[e]]
        /\ Settle(IF wins /\ Broken("leader-counts-unsynced")
                  THEN [acks EXCEPT ![t][c] = Len(log)] ELSE acks, led')
  /\ UNCHANGED <<damages, late>>

Vote(j, c, t) ==
  /\ \/ role[c] = "candidate" /\ Accepted(c).term = t
     \/ MayCampaign(c, t)
  /\ MayVote(j, c, t, End(Accepted(c).log))
  /\ Voted(j, c, t, End(Accepted(c).log))

\* A campaign and a late request matter only where a grant does not say whom it answers:
\* a candidate must not count one for a candidacy that it forgot through damage.
Campaign(i, t) ==
  /\ Broken("grant-names-no-candidacy") /\ MayCampaign(i, t) /\ role[i] # "leader"
  /\ disk' = [disk EXCEPT ![i] = <<[Accepted(i) EXCEPT !.term = t, !.vote = i]>>]
  /\ role' = [role EXCEPT ![i] = "candidate"]
  /\ votes' = [votes EXCEPT ![i] = {i}]
  /\ UNCHANGED <<led, elections, acked, committed, rounds, damages, late>>

VoteLate(j, c) ==
  /\ late[c] # <<>> /\ role[c] = "candidate" /\ Accepted(c).term = late[c][1]
  /\ MayVote(j, c, late[c][1], late[c][2])
  /\ Voted(j, c, late[c][1], late[c][2])

--------------------------------------------------------------------------------
(* Replication (R1, R2) *)

\* A record is sent at once, before the leader's own sync.
Produce(i) ==
  LET s == Accepted(i)
      log == Append(s.log, <<s.term, End(s.log)[2] + 1>>)
  IN
  /\ role[i] = "leader" /\ End(s.log)[2] < MaxOffset
  /\ Write(i, [s EXCEPT !.log = log])
  /\ led' = [led EXCEPT ![s.term] = log]
  /\ Settle(Acknowledged(i, acked, disk'[i], led', TRUE), led')
  /\ UNCHANGED <<role, votes, elections, rounds, damages, late>>

\* Where a term alone, without entries, can enable something.
TermsMatter ==
  MaxDamages > 0 \/ Broken("commit-older-epoch") \/ Broken("acks-of-any-epoch")

(* A message of the leader of epoch t that ends with entry n. It begins after a position
   that both hold; what comes of it is the same for each such, so it begins after the last.
   Only what conflicts with its entries is truncated, never what is merely longer. *)
Receive(j, t, n) ==
  LET s == Accepted(j)
      log == led[t]
      common == Shared(log, s.log, n)
      kept == IF common = 0 THEN 0 ELSE IndexOf(s.log, log[common])
      new == IF common < n THEN Truncated(s.log, kept) \o SubSeq(log, common + 1, n)
             ELSE IF Broken("truncate-to-message-end") THEN Truncated(s.log, kept)
             ELSE s.log
  IN
  /\ n <= Len(log) /\ s.term <= t /\ ~Leads(j, t)
  /\ new # s.log \/ (s.term < t /\ TermsMatter)
  /\ LET state == IF s.term < t THEN [s EXCEPT !.log = new, !.term = t, !.vote = None]
                  ELSE [s EXCEPT !.log = new]
     IN IF SlowFollowers THEN Write(j, state) ELSE disk' = [disk EXCEPT ![j] = <<state>>]
  /\ role' = [role EXCEPT ![j] = "follower"]
  /\ votes' = [votes EXCEPT ![j] = {}]
  /\ rounds' = RoundsWithout(j)
  /\ IF SlowFollowers /\ ~Broken("follower-acks-unsynced")
     THEN acked' = AcksWithout(j) /\ committed' = committed
     ELSE Settle(Acknowledged(j, AcksWithout(j), disk'[j], led, FALSE), led)
  /\ UNCHANGED <<led, elections, damages, late>>

(* The leader of epoch t has removed tombstones up to entry n, which is committed (R10). A
   replica without that entry would keep what they ended: its log begins anew, and what it
   has acknowledged is gone. The message may be late. The leader still counts what it heard. *)
BeginAnew(j, t, n) ==
  LET s == Accepted(j)
      state == IF s.term < t THEN [s EXCEPT !.log = <<>>, !.term = t, !.vote = None]
               ELSE [s EXCEPT !.log = <<>>]
  IN
  /\ Compacted /\ n <= committed[t] /\ s.term <= t /\ ~Leads(j, t) /\ s.log # <<>>
  /\ ~Holds(s.log, led[t][n]) \/ Broken("begin-anew-in-any-case")
  /\ IF SlowFollowers THEN Write(j, state) ELSE disk' = [disk EXCEPT ![j] = <<state>>]
  /\ role' = [role EXCEPT ![j] = "follower"]
  /\ votes' = [votes EXCEPT ![j] = {}]
  /\ rounds' = RoundsWithout(j)
  /\ acked' = AcksWithout(j)
  /\ UNCHANGED <<led, elections, committed, damages, late>>

--------------------------------------------------------------------------------
(* Disks (R2, R5) *)

\* The next journal record is durable; the acknowledgement that waited for it leaves.
Sync(i) ==
  LET states == Tail(disk[i]) IN
  /\ Len(disk[i]) > 1
  /\ disk' = [disk EXCEPT ![i] = states]
  /\ Settle(Acknowledged(i, acked, states, led, role[i] = "leader"), led)
  /\ UNCHANGED <<role, votes, led, elections, rounds, damages, late>>

\* All that was not synced is lost; losing less is a Sync before. The node is back at once:
\* one that is down takes no steps.
Crash(i) ==
  LET s == Durable(i)
      back == IF Broken("drop-empty-epochs")
              THEN [s EXCEPT !.log = WithoutEmptyEpochs(s.log, 1)] ELSE s
  IN
  /\ Len(disk[i]) > 1 \/ back # s
  /\ disk' = [disk EXCEPT ![i] = <<back>>]
  /\ role' = [role EXCEPT ![i] = "follower"]
  /\ votes' = [votes EXCEPT ![i] = {}]
  /\ acked' = AcksWithout(i)
  /\ rounds' = RoundsWithout(i)
  /\ UNCHANGED <<led, elections, committed, damages, late>>

(* The journal of a replica is damaged, and its process ends: term and vote are forgotten,
   the log is a prefix. It is suspect, durably. A majority beside it is not suspect. *)
Damage(i, n) ==
  LET s == Durable(i) IN
  /\ damages < MaxDamages /\ s.term > 0 /\ n <= Len(s.log)
  /\ Majority({k \in Nodes \ {i} : ~Durable(k).suspect})
  /\ disk' = [disk EXCEPT ![i] =
       <<IF Broken("suspect-votes") THEN [s EXCEPT !.log = Prefix(s.log, n)]
         ELSE [term |-> 0, vote |-> None, log |-> Prefix(s.log, n), suspect |-> TRUE]>>]
  /\ role' = [role EXCEPT ![i] = "follower"]
  /\ votes' = [votes EXCEPT ![i] = {}]
  /\ acked' = AcksWithout(i)
  /\ rounds' = [t \in Epochs |-> [RoundsWithout(i)[t] EXCEPT ![i] = <<>>]]
  /\ late' = IF Broken("grant-names-no-candidacy") /\ role[i] = "candidate"
             THEN [late EXCEPT ![i] = <<s.term, End(s.log)>>] ELSE late
  /\ damages' = damages + 1
  /\ UNCHANGED <<led, elections, committed>>

--------------------------------------------------------------------------------
(* The return of a suspect (R5) *)

\* A leader learns of it: what it has acknowledged is void, and a round of confirmation
\* begins, of no less than the present commit.
Meet(i, j) ==
  LET t == Accepted(i).term IN
  /\ role[i] = "leader" /\ i # j /\ Accepted(j).suspect /\ rounds[t][j] = <<>>
  /\ acked' = IF Broken("acks-survive-damage") THEN acked ELSE [acked EXCEPT ![t][j] = 0]
  /\ rounds' = [rounds EXCEPT ![t][j] = <<committed[t], {i}>>]
  /\ UNCHANGED <<disk, role, votes, led, elections, committed, damages, late>>

\* Voter k answers in this round: it is still in this leader's term. (That of another
\* suspect, whom the leader has met by this, says no more; its acknowledgements are void.)
Answer(i, j, k) ==
  LET t == Accepted(i).term IN
  /\ role[i] = "leader" /\ rounds[t][j] # <<>>
  /\ k # j /\ k \notin rounds[t][j][2]
  /\ Accepted(k).term = t
  /\ Durable(k).suspect => rounds[t][k] # <<>>
  /\ rounds' = [rounds EXCEPT ![t][j][2] = @ \cup {k}]
  /\ UNCHANGED <<disk, role, votes, led, elections, acked, committed, damages, late>>

(* The suspect holds, durably, a commit of this epoch that the leader confirmed after its
   return with a majority that excludes it. And every other voter was in this term after
   the return, so none can be a candidate of a higher term with a vote that the replica
   has forgotten. Its vote in this term counts as given: it may have been. *)
Heal(i, j, n) ==
  LET t == Accepted(i).term
      round == rounds[t][j]
      s == Accepted(j)
  IN
  /\ role[i] = "leader" /\ round # <<>>
  /\ s.suspect /\ s.term = t /\ Durable(j).term = t
  /\ n <= Len(led[t]) /\ led[t][n][1] = t /\ Shared(led[t], Durable(j).log, n) = n
  /\ \/ Broken("heal-by-acknowledging-again")
     \/ /\ n >= round[1]
        /\ Majority({k \in round[2] : acked[t][k] >= n})
        /\ Nodes \ {j} \subseteq round[2] \/ Broken("heal-with-a-majority")
  /\ Write(j, [s EXCEPT !.suspect = FALSE, !.vote = i])
  /\ rounds' = [rounds EXCEPT ![t][j] = <<>>]
  /\ UNCHANGED <<role, votes, led, elections, acked, committed, damages, late>>

--------------------------------------------------------------------------------
(* The whole *)

Init ==
  /\ disk = [i \in Nodes |-> <<[term |-> 0, vote |-> None, log |-> <<>>, suspect |-> FALSE]>>]
  /\ role = [i \in Nodes |-> "follower"]
  /\ votes = [i \in Nodes |-> {}]
  /\ led = [t \in Epochs |-> <<>>]
  /\ elections = [t \in Epochs |-> 0]
  /\ acked = [t \in Epochs |-> NoAcks]
  /\ committed = [t \in Epochs |-> 0]
  /\ rounds = [t \in Epochs |-> NoRounds]
  /\ damages = 0
  /\ late = [i \in Nodes |-> <<>>]
  /\ last = <<"Init">>
  /\ at = 1

\* Names the step. While the script lasts, only its next step may be taken.
Step(label) ==
  /\ at <= Len(Script) => Script[at] = label
  /\ at' = IF at <= Len(Script) THEN at + 1 ELSE at
  /\ last' = label

Next ==
  \E i \in Nodes :
    \/ \E c \in Nodes \ {i}, t \in Epochs : Vote(i, c, t) /\ Step(<<"Vote", i, c, t>>)
    \/ Produce(i) /\ Step(<<"Produce", i>>)
    \/ \E t \in Epochs : \E n \in DOMAIN led[t] :
         Receive(i, t, n) /\ Step(<<"Receive", i, t, n>>)
    \/ Compacted /\ \E t \in Epochs : \E n \in DOMAIN led[t] :
         BeginAnew(i, t, n) /\ Step(<<"BeginAnew", i, t, n>>)
    \/ Sync(i) /\ Step(<<"Sync", i>>)
    \/ Crash(i) /\ Step(<<"Crash", i>>)
    \/ MaxDamages > 0 /\
       \/ \E n \in Sizes : Commit(i, n) /\ Step(<<"Commit", i, n>>)
       \/ \E n \in {0} \cup Sizes : Damage(i, n) /\ Step(<<"Damage", i, n>>)
       \/ \E j \in Nodes : Meet(i, j) /\ Step(<<"Meet", i, j>>)
       \/ \E j, k \in Nodes : Answer(i, j, k) /\ Step(<<"Answer", i, j, k>>)
       \/ \E j \in Nodes, n \in Sizes : Heal(i, j, n) /\ Step(<<"Heal", i, j, n>>)
       \/ \E t \in Epochs : Campaign(i, t) /\ Step(<<"Campaign", i, t>>)
       \/ \E c \in Nodes \ {i} : VoteLate(i, c) /\ Step(<<"VoteLate", i, c>>)

Spec == Init /\ [][Next]_vars

(* Two states are the same to the checker when they differ only in `last`, or in what the
   leader of a past epoch sent beyond its commit and no replica can receive any more (not
   even one that will have forgotten its term). *)
View ==
  LET past(t) == damages = MaxDamages /\ \A i \in Nodes : Durable(i).term > t
  IN <<disk, role, votes, [t \in Epochs |-> IF past(t) THEN Prefix(led[t], committed[t]) ELSE led[t]],
       elections, acked, committed, rounds, damages, late, at>>

--------------------------------------------------------------------------------
(* What must hold: outcomes *)

OneLeaderPerEpoch == \A t \in Epochs : elections[t] <= 1

\* No acknowledged record is missing from the log of a later leader.
NoRecordLost ==
  \A t, u \in Epochs : (t < u /\ committed[t] > 0 /\ led[u] # <<>>) =>
    Records(led[t], committed[t]) \subseteq {led[u][k] : k \in DOMAIN led[u]}

(* What replica j would set its commit to, were it to hear its leader now (R9: min(leader's,
   own end), only if its last epoch is that leader's; the whole log is then verified). It is
   not kept: all that depends on it is said here and in CommitStays. *)
FollowerCommit(j) ==
  LET s == Accepted(j)
      t == s.term
      n == IF t = 0 THEN 0 ELSE committed[t]
  IN IF n = 0 THEN 0
     ELSE IF Broken("commit-from-log-end")
          THEN Cardinality({k \in DOMAIN s.log : ~Before(led[t][n], s.log[k])})
     ELSE IF End(s.log)[1] = t THEN Min(n, Len(s.log)) ELSE 0

\* Any two commits agree on their records, of leaders and of followers.
CommitsAgree ==
  LET same(log, n, other, m) ==
        LET one == SelectSeq(Prefix(log, n), LAMBDA p : p \in Records(log, n))
            two == SelectSeq(Prefix(other, m), LAMBDA p : p \in Records(other, m))
        IN Agree(one, Len(one), two, Len(two))
  IN \A t \in Epochs : committed[t] > 0 =>
       /\ \A u \in Epochs : same(led[t], committed[t], led[u], committed[u])
       /\ \A j \in Nodes : same(led[t], committed[t], Accepted(j).log, FollowerCommit(j))

--------------------------------------------------------------------------------
(* What must hold: why *)

Logs == {Accepted(i).log : i \in Nodes} \cup {Durable(i).log : i \in Nodes}
        \cup {led[t] : t \in Epochs}

\* A position in two logs: the same up to there.
LogMatching ==
  \A log, other \in Logs : log # other =>
    \A k \in DOMAIN log :
      IF k <= Len(other) /\ other[k] = log[k] THEN k = 1 \/ other[k - 1] = log[k - 1]
      ELSE ~Holds(other, log[k])

\* Every later leader's log begins with all that was committed, epoch starts too.
LeaderCompleteness ==
  \A t, u \in Epochs : (committed[t] > 0 /\ t < u /\ led[u] # <<>>) =>
    Len(led[u]) >= committed[t] /\ Agree(led[t], committed[t], led[u], committed[t])

\* A commit is durable on a majority; a suspect may have been one of it.
CommitIsDurable ==
  \A t \in Epochs : committed[t] > 0 =>
    Majority({i \in Nodes : Durable(i).suspect \/ Holds(Durable(i).log, led[t][committed[t]])})

\* Commits don't move back: a leader's never, and no follower truncates what it holds of one.
\* (A suspect may: it has forgotten which term it was in, and nobody counts on its log.)
CommitStays ==
  [][/\ \A t \in Epochs : committed'[t] >= committed[t]
     /\ \A j \in Nodes : (last'[1] = "Receive" /\ last'[2] = j /\ ~Accepted(j).suspect) =>
          LET before == Accepted(j).log
              after == disk'[j][Len(disk'[j])].log
              kept(t) == IF committed[t] = 0 THEN 0 ELSE Shared(led[t], before, committed[t])
          IN \A t \in Epochs : Agree(before, kept(t), after, kept(t))]_vars

================================================================================
