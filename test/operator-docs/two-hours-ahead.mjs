// Loaded before a program, it sets the clock that the program sees two hours ahead.
const AHEAD_MS = 2 * 60 * 60_000;
const { Date: Right } = globalThis;

globalThis.Date = class extends Right {
  constructor(...given) {
    if (given.length === 0) super(Right.now() + AHEAD_MS);
    else super(...given);
  }

  static now() {
    return Right.now() + AHEAD_MS;
  }
};
