import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Controller, Get, Param, Query, Res } from '@nestjs/common';
import { z } from 'zod';
import { ChainWatch } from '../audit/chain-watch.js';
import { RowWatch } from '../audit/row-watch.js';
import { AuditCheckpoints } from '../crypto-units/audit-checkpoints.js';
import { TlsCertificate } from '../http/tls-certificate.js';
import { Uuid } from '../http/uuid.js';
import { KeyIntegrity } from '../keys/key-integrity.js';
import { KeysteadError } from '../shared/errors.js';
import { HealthBoard } from './health-board.js';
import { NEXT_STEP, VERDICT } from './readiness.js';

interface Reply {
  status(code: number): Reply;
  header(name: string, value: string): Reply;
}

const LOOP_LAG_LIMIT_MS = 1_000;
const LOOP_LAG_WINDOW_MS = 10_000;
const RETRY_AFTER_S = '2';
/** Certificates are renewed a month before they end; what is still there two weeks before was forgotten. */
const RENEWED_BEFORE_MS = 14 * 86_400_000;
const code = z
  .string()
  .regex(/^[2-5]\d\d$/, 'must be a status from 200 to 599')
  .transform(Number)
  .optional();
const Codes = z.strictObject({ warncode: code, failcode: code, uninitcode: code });

/**
 * Health for load balancers and orchestrators. Anonymous, so: status, state and counts, nothing that names a token.
 * `/livez` depends on nothing outside the process; `/readyz` answers 200 or 503 and nothing else.
 */
@Controller()
export class HealthController {
  readonly #loop = monitorEventLoopDelay({ resolution: 20 });

  constructor(
    private readonly board: HealthBoard,
    private readonly integrity: KeyIntegrity,
    private readonly rows: RowWatch,
    private readonly chain: ChainWatch,
    private readonly signing: AuditCheckpoints,
    private readonly certificate: TlsCertificate,
  ) {
    this.#loop.enable();
    setInterval(() => this.#loop.reset(), LOOP_LAG_WINDOW_MS).unref(); // else hours of ease would hide that it hangs now
  }

  @Get('livez')
  live(@Res({ passthrough: true }) reply: Reply) {
    const lag = Math.round(this.#loop.percentile(50) / 1e6);
    reply.status(lag > LOOP_LAG_LIMIT_MS ? 500 : 200);
    return { status: lag > LOOP_LAG_LIMIT_MS ? 'fail' : 'pass' };
  }

  @Get('startupz')
  startup(@Res({ passthrough: true }) reply: Reply) {
    reply.status(this.board.started ? 200 : 503);
    return { status: this.board.started ? 'pass' : 'fail' };
  }

  @Get('readyz')
  ready(@Res({ passthrough: true }) reply: Reply) {
    const state = this.board.state();
    if (VERDICT[state] === 'fail') reply.status(503).header('Retry-After', RETRY_AFTER_S);
    return { status: VERDICT[state], state, next: NEXT_STEP[state] };
  }

  @Get('health')
  health(@Res({ passthrough: true }) reply: Reply, @Query({ schema: Codes }) codes: z.infer<typeof Codes>) {
    const state = this.board.state();
    const { units, serving, quarantined, oaepFallback, databaseWritable, auditWritable, rolledBack } =
      this.board.facts();
    const changed = this.integrity.report().invalid.length;
    const { keys: _, ...others } = this.rows.changed();
    const spoilt = Object.values(others).flat().length;
    const status = VERDICT[state];
    const answers = { pass: 200, warn: codes.warncode ?? 200, fail: codes.failcode ?? 503 };
    reply
      .status(state === 'uninitialized' ? (codes.uninitcode ?? 501) : answers[status])
      .header('Content-Type', 'application/health+json');
    return {
      status,
      state,
      isolation: this.board.isolation,
      next: NEXT_STEP[state],
      time: new Date().toISOString(),
      checks: {
        'crypto-units:serving': [{ observedValue: serving, observedUnit: `of ${units}`, status }],
        'crypto-units:quarantined': [{ observedValue: quarantined, status: quarantined > 0 ? 'warn' : 'pass' }],
        'crypto-units:oaepFallback': [{ observedValue: oaepFallback, observedUnit: `of ${units}`, status: 'pass' }],
        'keys:integrity': [
          { observedValue: changed, observedUnit: 'changed keys', status: changed > 0 ? 'warn' : 'pass' },
        ],
        'database:rows': [
          { observedValue: spoilt, observedUnit: 'changed rows', status: spoilt > 0 ? 'warn' : 'pass' },
        ],
        'audit:writable': [{ observedValue: auditWritable, status: auditWritable ? 'pass' : 'fail' }],
        'audit:checkpoints': [this.#checkpoints(rolledBack)],
        'database:writable': [{ observedValue: databaseWritable, status: databaseWritable ? 'pass' : 'fail' }],
        ...certificateCheck(this.certificate.notAfter),
      },
    };
  }

  /** What the units signed of the audit log, against the log. */
  #checkpoints(rolledBack: boolean): { observedValue: string; status: 'pass' | 'fail' } {
    if (rolledBack) return { observedValue: 'DatabaseRolledBack', status: 'fail' };
    if (this.signing.problem !== null || this.chain.bad !== null)
      return { observedValue: 'AuditTampered', status: 'fail' };
    return { observedValue: 'held', status: 'pass' };
  }

  @Get('health/state')
  state() {
    return { state: this.board.state() };
  }

  @Get('health/units/:id')
  unit(@Res({ passthrough: true }) reply: Reply, @Param('id', { schema: Uuid }) id: string) {
    const unit = this.board.unit(id);
    if (unit === undefined) throw new KeysteadError('UNIT_NOT_FOUND', `there is no crypto unit ${id}`);
    if (!unit.serving) reply.status(503).header('Retry-After', RETRY_AFTER_S);
    return { status: unit.serving ? 'pass' : 'fail', state: unit.state, canary: this.board.canary(id) };
  }
}

/** When the listener's certificate ends; nothing without TLS. */
function certificateCheck(notAfter: Date | undefined): object {
  if (notAfter === undefined) return {};
  const left = notAfter.getTime() - Date.now();
  const status = left <= 0 ? 'fail' : left < RENEWED_BEFORE_MS ? 'warn' : 'pass';
  return { 'tls:certificate': [{ observedValue: notAfter.toISOString(), observedUnit: 'not_after', status }] };
}
