import { once } from 'node:events';
import { connect } from 'node:net';
import { Body, Controller, Get, Module, Param, Post } from '@nestjs/common';
import {
  Command,
  CommandHandler,
  CqrsModule,
  type ICommandHandler,
  type IQueryHandler,
  Query,
  QueryHandler,
} from '@nestjs/cqrs';
import { z } from 'zod';
import type { Caller } from '../../src/access/caller.js';
import { Gate } from '../../src/access/gate.js';
import { AskedBy } from '../../src/http/asked-by.js';
import { KeysteadError } from '../../src/shared/errors.js';
import type { Permission } from '../../src/shared/permissions.js';
import { until } from '../database/server-process.js';
import { type RunningApp, runApp } from './running-app.js';

class ReadThing extends Query<string> {
  static readonly permission: Permission = 'instance.read';
}
class MakeThing extends Command<{ by: string; name: string }> {
  static readonly permission: Permission = 'instance.create';
  constructor(
    readonly by: string,
    readonly instanceId: string,
  ) {
    super();
  }
}
class NamelessThing extends Command<void> {}

@QueryHandler(ReadThing)
class ReadThingHandler implements IQueryHandler<ReadThing> {
  execute(): Promise<string> {
    return Promise.resolve('a thing');
  }
}
let made = 0;
@CommandHandler(MakeThing)
class MakeThingHandler implements ICommandHandler<MakeThing> {
  async execute({ by, instanceId }: MakeThing): Promise<{ by: string; name: string }> {
    made += 1;
    return { by, name: instanceId };
  }
}

const ThingBody = z.strictObject({ name: z.string().min(1), deep: z.strictObject({ size: z.number() }).optional() });

/** A request that is under way: it began, and finishes when it is told to. */
class Slow {
  begin!: () => void;
  finish!: () => void;
  readonly begun = new Promise<void>((resolve) => {
    this.begin = resolve;
  });
  readonly finished = new Promise<void>((resolve) => {
    this.finish = resolve;
  });
}
const slow = new Slow();

@Controller('things')
class ThingsController {
  constructor(private readonly gate: Gate) {}

  @Get()
  async read(@AskedBy() caller: Caller) {
    return { thing: await this.gate.ask(caller, new ReadThing()) };
  }
  @Post()
  make(@AskedBy() caller: Caller, @Body({ schema: ThingBody }) { name }: z.infer<typeof ThingBody>) {
    return this.gate.ask(caller, new MakeThing(caller.name, name));
  }
  @Post('nameless')
  nameless(@AskedBy() caller: Caller) {
    return this.gate.ask(caller, new NamelessThing());
  }
  @Get('broken')
  broken() {
    throw new Error('the password is hunter2');
  }
  @Get('busy')
  busy() {
    throw new KeysteadError('UNIT_STATE', 'the unit is busy; wait');
  }
  @Get('outage')
  outage() {
    throw new Error('Connection terminated unexpectedly');
  }
  @Get('slow')
  async slow() {
    slow.begin();
    await slow.finished;
    return {};
  }
  @Get(':id')
  one(@Param('id', { schema: z.uuid() }) id: string) {
    return { id };
  }
}

@Module({ imports: [CqrsModule], controllers: [ThingsController], providers: [ReadThingHandler, MakeThingHandler] })
class ThingsModule {}

let app: RunningApp;
let manager: string;
let reader: string;
beforeAll(async () => {
  app = await runApp(ThingsModule);
  manager = await app.keyFor('Manager');
  reader = await app.keyFor('Reader');
});
afterAll(() => app.end());

interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: what the server says is what the spec looks at
  readonly body: any;
}

async function ask(path: string, init: RequestInit & { key?: string } = {}): Promise<Answered> {
  const { key, ...rest } = init;
  const headers = { ...(key !== undefined && { authorization: `Bearer ${key}` }), ...(rest.headers as object) };
  const answer = await fetch(app.url + path, { ...rest, headers });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, body: text.startsWith('{') ? JSON.parse(text) : text };
}
const post = (body: string | Buffer | undefined, headers: Record<string, string> = {}, key = manager) =>
  ask('/things', { method: 'POST', key, headers, ...(body !== undefined && { body }) });
const reason = ({ body }: Answered) => body.resources[0].reasons[0];

describe('who asks', () => {
  it('without credentials: 401, no reasons', async () => {
    const answer = await ask('/things');
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(answer.body).toEqual({
      metadata: { collectionType: 'application/vnd.ibm.kms.error+json', collectionTotal: 1 },
      resources: [{ errorMsg: expect.stringMatching(/^Unauthorized: /) }],
    });
  });

  it('is found out before the body is judged', async () => {
    expect((await post('{}', {}, 'kp_none')).status).toBe(401);
  });

  it('with a role that does not suffice: 403, durable in the audit log, and the handler did not run', async () => {
    const before = made;
    const answer = await post('{"name":"inst-7"}', {}, reader);
    expect(answer.status).toBe(403);
    expect(reason(answer)).toMatchObject({
      code: 'FORBIDDEN',
      status: 403,
      message: expect.stringContaining('Manager'),
    });
    const [line] = await app.audit.list({ limit: 1 });
    expect(line).toMatchObject({
      act: 'instance.create',
      outcome: 'failure',
      by: 'Reader',
      instanceId: 'inst-7',
      detail: { refused: 'FORBIDDEN', request: 'MakeThing' },
    });
    expect(made).toBe(before);
  });

  it('with a role that suffices: the answer of the handler', async () => {
    expect((await ask('/things', { key: reader })).body).toEqual({ thing: 'a thing' });
    const answer = await post('{"name":"x"}');
    expect([answer.status, answer.body]).toEqual([201, { by: 'Manager', name: 'x' }]);
  });

  it('a refusal that cannot be audited is not answered as one', async () => {
    await app.db.query('ALTER TABLE "audit_lines" RENAME TO "away"');
    try {
      expect(reason(await post('{"name":"x"}', {}, reader))).toMatchObject({ code: 'AUDIT_UNAVAILABLE', status: 503 });
    } finally {
      await app.db.query('ALTER TABLE "away" RENAME TO "audit_lines"');
    }
    await until(async () => (await ask('/things', { key: reader })).status === 200, 5_000); // it is tried again by itself
  });

  it('a command without a permission reaches no handler, whoever asks', async () => {
    expect((await ask('/things/nameless', { method: 'POST', key: manager })).status).toBe(500);
  });
});

describe('bodies', () => {
  it.each(['application/json', 'application/x-www-form-urlencoded', 'application/vnd.ibm.kms.key+json', 'text/plain'])(
    'are JSON, also when they are called %s',
    async (type) => {
      expect((await post('{"name":"x"}', { 'content-type': type })).status).toBe(201);
    },
  );

  it('are JSON, also when they come without a Content-Type', async () => {
    const answer = await raw(
      `POST /things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${manager}\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{"name":"x"}`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 201/);
  });

  it.each([
    ['cut off', '{"name":'],
    ['empty', ''],
    ['no JSON', 'name=x'],
    ['not UTF-8', Buffer.from('{"name":"\xff"}', 'latin1')],
    ['with a __proto__', '{"name":"x","__proto__":{"admin":true}}'],
    ['with a spelled __proto__', '{"name":"x","\\u005f_proto__":{}}'],
    ['nested without end', '['.repeat(100_000)],
    ['a scalar', '"x"'],
  ])('that are %s: 400', async (_what, body) => {
    const answer = await post(body);
    expect([answer.status, reason(answer).code]).toEqual([400, 'BAD_REQUEST']);
  });

  it.each([
    ['{"name":7}', 'name: '],
    ['{"name":"x","deep":{"size":"big"}}', 'deep.size: '],
    ['{"name":"x","more":1}', 'more'],
    ['[]', 'the body: '],
  ])('that do not fit the schema, as %s: 400 with the name of the field', async (body, name) => {
    const answer = await post(body);
    expect(answer.status).toBe(400);
    expect(reason(answer).message).toContain(name);
  });

  it('a parameter that does not fit: 400 with its name', async () => {
    expect(reason(await ask('/things/not-a-uuid')).message).toMatch(/^id: /);
  });

  it('of 1 MiB are read', async () => {
    const name = 'x'.repeat((1 << 20) - '{"name":""}'.length);
    expect((await post(JSON.stringify({ name }))).status).toBe(201);
    const escapes = '\\n'.repeat((1 << 19) - 16);
    expect((await post(`{"name":"${escapes}"}`)).status).toBe(201);
  });

  it('that are announced too large: 413 before they are sent', async () => {
    const head = `POST /things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${manager}\r\nContent-Length: 9999999999\r\n\r\n`;
    const answer = await raw(head);
    expect(answer).toMatch(/^HTTP\/1.1 413/);
    expect(answer).toContain('BODY_TOO_LARGE');
  });

  it('that turn out too large: 413 without reading on', async () => {
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    const head = 'POST /things HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
    const answer = await raw(`${head}${chunk.repeat(18)}`);
    expect(answer).toMatch(/^HTTP\/1.1 413/);
  });
});

describe('errors', () => {
  it('refusals have the envelope of Key Protect', async () => {
    const answer = await ask('/things/busy');
    expect(answer.status).toBe(409);
    expect(answer.body).toEqual({
      metadata: { collectionType: 'application/vnd.ibm.kms.error+json', collectionTotal: 1 },
      resources: [
        {
          errorMsg: 'Conflict: the unit is busy; wait: Please see `reasons` for more details (UNIT_STATE)',
          reasons: [{ code: 'UNIT_STATE', message: 'the unit is busy; wait', status: 409 }],
        },
      ],
    });
  });

  it('faults say nothing but a correlation id, under which the log has more', async () => {
    const answer = await ask('/things/broken', { headers: { 'correlation-id': 'c-1' } });
    expect([answer.status, reason(answer).code]).toEqual([500, 'INTERNAL']);
    expect(answer.text).not.toMatch(/hunter2|\.ts|at /);
    expect(answer.text).toContain('c-1');
    expect(app.log).toContainEqual(expect.objectContaining({ event: 'internal-error', correlationId: 'c-1' }));
  });

  it('an outage of the database: 503 with Retry-After', async () => {
    const answer = await ask('/things/outage');
    expect([answer.status, reason(answer).code]).toEqual([503, 'DATABASE_UNAVAILABLE']);
    expect(answer.headers.get('retry-after')).toBe('2');
  });

  it.each([
    ['GET', '/nowhere'],
    ['DELETE', '/things'],
    ['GET', '/things/a/b/c'],
    ['GET', '/'],
  ])('%s %s: 404', async (method, path) => {
    const answer = await ask(path, { method });
    expect([answer.status, reason(answer).code]).toEqual([404, 'NOT_FOUND']);
    expect(reason(answer).message).toBe(`there is no ${method} ${path}`);
  });

  it('a path that cannot be decoded: 400 with the envelope', async () => {
    const answer = await raw('GET /things/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1.1 400/);
    expect(answer).toContain('application/vnd.ibm.kms.error+json');
  });

  it.each([
    [400, 'what is not HTTP', 'hello\r\n\r\n'],
    [431, 'headers of more than 128 KiB', `GET / HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(140_000)}\r\n\r\n`],
  ])('%i for %s, with the envelope', async (status, _what, text) => {
    const answer = await raw(text);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status}`));
    expect(answer).toContain('application/vnd.ibm.kms.error+json');
  });
});

describe('every answer', () => {
  it('repeats the correlation id of the client, or gives one', async () => {
    for (const name of ['correlation-id', 'x-request-id']) {
      const answer = await ask('/things', { key: reader, headers: { [name]: 'trace-42' } });
      expect(answer.headers.get('correlation-id')).toBe('trace-42');
      expect(answer.headers.get('x-request-id')).toBe('trace-42');
    }
    const own = await ask('/nowhere', { headers: { 'correlation-id': 'no good: "<script>"' } });
    expect(own.headers.get('correlation-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('is not to be cached', async () => {
    for (const path of ['/things', '/nowhere', '/things/broken']) {
      expect((await ask(path, { key: reader })).headers.get('cache-control')).toBe('no-store');
    }
  });

  it('HEAD is answered like GET, without a body', async () => {
    const answer = await ask('/things', { method: 'HEAD', key: reader });
    expect([answer.status, answer.text]).toEqual([200, '']);
    expect((await ask('/things', { method: 'HEAD' })).status).toBe(401);
  });

  it('headers of 100 KiB are taken', async () => {
    expect((await ask('/things', { key: reader, headers: { 'x-large': 'a'.repeat(100 << 10) } })).status).toBe(200);
  });
});

it('a request that is under way when the server stops is answered', async () => {
  const other = await runApp(ThingsModule);
  const answer = fetch(`${other.url}/things/slow`);
  await slow.begun;
  const ended = other.end();
  slow.finish();
  expect((await answer).status).toBe(200);
  await ended;
});

/** Sends bytes and answers what came back until the server closed, or the answer's headers were whole. */
async function raw(text: string): Promise<string> {
  const socket = connect(app.port, '127.0.0.1');
  socket.on('error', () => undefined); // the server may close while we write
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    answer += chunk;
  });
  socket.write(text);
  await once(socket, 'close');
  return answer;
}
