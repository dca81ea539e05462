import type { AgentConnection } from './agent-connection.js';
import type {
  Capabilities,
  ClaimRequest,
  FactsAnswer,
  FactsRequest,
  Opcode,
  ReceiptAnswer,
  UnitProbe,
} from './protocol.js';

/** Claims and commands write to the token several times and may make an RSA-3072 pair; so do trials of what it can. */
const ACT_DEADLINE_MS = 30_000;

/** The admin set: what is true of the unit, claim, and signed commands. Refusals come back as thrown KeysteadErrors. */
export class AdminClient {
  constructor(readonly connection: AgentConnection) {}

  probe(): Promise<UnitProbe> {
    return this.#ask('probe', {});
  }

  facts(request: FactsRequest): Promise<FactsAnswer> {
    return this.#ask('facts', request, request.capabilities ? ACT_DEADLINE_MS : undefined);
  }

  capabilities(): Promise<Capabilities> {
    return this.#ask('capabilities', {}, ACT_DEADLINE_MS);
  }

  /** The receipt of a claim that was done. */
  claim(request: ClaimRequest): Promise<ReceiptAnswer> {
    return this.#ask('claim', request, ACT_DEADLINE_MS);
  }

  /**
   * The receipt says whether the op was done or refused. A thrown refusal means that nothing changed, counter included;
   * only after UNIT_FAULT, TOKEN_LOST and UNIT_UNREACHABLE that is not known: the same document again tells.
   */
  command(document: string): Promise<ReceiptAnswer> {
    return this.#ask('command', { document }, ACT_DEADLINE_MS);
  }

  async #ask<T>(op: Opcode, body: object, deadlineMs?: number): Promise<T> {
    const answer = await this.connection.request(op, Buffer.from(JSON.stringify(body)), { deadlineMs });
    return JSON.parse(answer.toString('utf8')) as T;
  }
}
