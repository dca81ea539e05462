import { All, Controller, Get, Req, UseGuards } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import { Gate } from '../../access/gate.js';
import { Config } from '../../config/config.js';
import { ListKeys } from '../../keys/list-keys.query.js';
import type { KeysteadError } from '../../shared/errors.js';
import * as op from './account-operations.js';
import { Admission } from './admission.guard.js';
import { answerTo } from './errors.js';
import { type Asked, AskedFor, Serve } from './operation.js';
import { OPERATIONS } from './operations.js';
import { HuaweiRefusal } from './refusals.js';

const MOST_GRANTS = 100;
/** What clients are told when there is no limit: the largest that a 32-bit integer of theirs holds. */
const NO_LIMIT = 2_147_483_647;
const REFUSED = { answerTo: (error: KeysteadError, requestId: string) => answerTo(error, requestId) };

/** Versions of the API, what is used of it, and the answer to whatever is not served. */
@Controller()
export class AccountController {
  constructor(
    private readonly gate: Gate,
    private readonly config: Config,
  ) {}

  @Get('/')
  versions() {
    return { versions: [this.#version()] };
  }

  @Get('v1.0')
  version() {
    return { version: this.#version() };
  }

  @Serve(op.USER_INSTANCES)
  @UseGuards(Admission)
  async instances(@AskedFor() asked: Asked<typeof op.USER_INSTANCES>) {
    return { instance_num: await this.#keys(asked) };
  }

  @Serve(op.USER_QUOTAS)
  @UseGuards(Admission)
  async quotas(@AskedFor() asked: Asked<typeof op.USER_QUOTAS>) {
    const quota = this.config.limits.keys || NO_LIMIT;
    const keys = { type: 'CMK', used: await this.#keys(asked), quota };
    return { quotas: { resources: [keys, { type: 'grant_per_CMK', used: 0, quota: MOST_GRANTS }] } };
  }

  @All('v1.0/*')
  @UseGuards(Admission)
  @RouteConfig(REFUSED)
  nothing(@Req() { method, originalUrl }: FastifyRequest): never {
    const [path = ''] = originalUrl.split('?');
    if (isServed(path)) throw new HuaweiRefusal('KMS.0215', `There is no ${method} here.`);
    throw new HuaweiRefusal('KMS.0201', `There is no ${path}.`);
  }

  async #keys({ caller, place }: Asked): Promise<number> {
    return (await this.gate.ask(caller, new ListKeys(caller, place, { limit: 0 }))).total;
  }

  #version() {
    return {
      id: 'v1.0',
      links: [{ href: `${this.config.publicUrl}/v1.0/`, rel: 'self' }],
      min_version: '',
      status: 'CURRENT',
      updated: '2018-09-05T08:18:05Z',
      version: '',
    };
  }
}

/** Whether some method is served at the path. */
function isServed(path: string): boolean {
  const segments = path.split('/');
  return OPERATIONS.some((operation) => {
    const served = operation.path.split('/');
    return (
      served.length === segments.length && served.every((name, at) => name.startsWith(':') || name === segments[at])
    );
  });
}
