// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What a user can write at any time is read once, by an accessor, into a copy: whoever
// looks twice may see two things. For the user's words of a ring (struct vn_ring), the
// descriptors and the completions behind it. Each line that is found is a mistake.

// The accessors.
@once@
expression E;
identifier f =~ "^(sq_tail|sq_stamp|cq_head)$";
position p;
@@
(
  READ_ONCE(E->f@p)
|
  vn_load_acquire(&E->f@p)
|
  smp_load_acquire(&E->f@p)
)

// Around them.
@around@
expression E;
identifier f =~ "^(sq_tail|sq_stamp|cq_head)$";
position p != once.p;
@@
* E->f@p

// Twice. One in a loop is another read of a word that may have changed: that is meant.
@pair@
expression E;
identifier f =~ "^(sq_tail|sq_stamp|cq_head)$";
position a, b;
@@
  E->f@a
  ...
  E->f@b

@script:python twice@
a << pair.a;
b << pair.b;
@@
if (a[0].line, a[0].column) == (b[0].line, b[0].column):
    cocci.include_match(False)

@depends on twice@
expression pair.E;
identifier pair.f;
position pair.b;
@@
* E->f@b

// A descriptor is copied word by word; nothing else is done with it where it lies.
@copied@
expression E, I;
position p;
@@
  &E->sq[I]@p

@looked@
expression E, I;
position p != copied.p;
@@
* E->sq[I]@p

@copied_twice@
expression E, I, J;
@@
* &E->sq[I]
  ...
* &E->sq[J]

// Completions are only written.
@written@
expression E, I, V;
identifier f;
position p;
@@
(
  E->cq[I]@p.f = V
|
  &E->cq[I]@p
)

@read_back@
expression E, I;
position p != written.p;
@@
* E->cq[I]@p
