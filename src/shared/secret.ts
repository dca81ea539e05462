/** Bytes that are wiped when the scope ends, whichever way it ends. Prints as [secret]. */
export class Secret implements Disposable {
  constructor(readonly bytes: Buffer) {}

  [Symbol.dispose](): void {
    this.bytes.fill(0);
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]';
  }
}
