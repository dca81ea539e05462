import { Injectable } from '@nestjs/common';

/** Set when the server was told to stop: /readyz says no, while requests are still answered. */
@Injectable()
export class Draining {
  #begun = false;

  get begun(): boolean {
    return this.#begun;
  }

  begin(): void {
    this.#begun = true;
  }
}
