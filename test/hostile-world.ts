import { Admins } from './admin.js';
import { type Callers, callersOf } from './callers.js';
import { everything, type Got, send, wrongWithRefusal } from './hostile.js';
import { methodOf, type Names, ROUTES, type Route, servedNames } from './routes.js';
import { World } from './world.js';

export const ROWS: readonly (readonly [string, Route])[] = Object.entries(ROUTES);

/** A world whose two units serve, with a caller of each kind, where requests must leave everything as it was. */
export class HostileWorld {
  #before: object = {};

  private constructor(
    readonly world: World,
    readonly names: Names,
    readonly callers: Callers,
  ) {}

  static async start(): Promise<HostileWorld> {
    const world = await World.withInstance(2, { env: { KEYSTEAD_LIMIT_FAILED_ATTEMPTS: '0' } }); // 401 is asked for by the thousand here
    const units = (await world.units()).map(({ id }) => id);
    const names = await servedNames(new Admins(world), units);
    const hostile = new HostileWorld(world, names, await callersOf(world));
    await hostile.accept();
    return hostile;
  }

  /** What is there now is what must be there from now on. */
  async accept(): Promise<void> {
    this.#before = await everything(this.world);
  }

  /** Nothing has changed since this was asked last. */
  async expectUnchanged(): Promise<void> {
    const before = this.#before;
    await this.accept();
    expect(this.#before).toEqual(before);
  }

  /** Asks a route as a Manager. */
  ask(
    route: string,
    body: string | Buffer | undefined,
    change: { path?: string; headers?: Record<string, string> } = {},
  ): Promise<Got> {
    const { path, headers } = ROUTES[route] as Route;
    const own = { ...headers?.(this.names), ...this.callers.Manager, ...change.headers };
    return send(this.world, { method: methodOf(route), path: change.path ?? path(this.names), headers: own, body });
  }

  /** The head of such a request, with more header lines. */
  head(route: string, ...lines: string[]): string {
    const { path, headers } = ROUTES[route] as Route;
    const own = Object.entries({ host: 'keystead', ...this.callers.Manager, ...headers?.(this.names) });
    const all = [...own.map(([name, value]) => `${name}: ${value}`), ...lines];
    return `${methodOf(route)} ${path(this.names)} HTTP/1.1\r\n${all.join('\r\n')}\r\n\r\n`;
  }
}

/** All of them are refused; those that are not come out by their names. */
export async function allRefused(asked: readonly (readonly [string, Promise<Got>])[]): Promise<void> {
  const answers = await Promise.all(asked.map(async ([what, got]) => [what, wrongWithRefusal(await got)] as const));
  expect(answers.filter(([, wrong]) => wrong !== null)).toEqual([]);
}

/** The words of a text: lists that would be long otherwise. */
export const words = (text: string): string[] => text.split(/\s+/);

/** An id in a path. */
export const ID = /[0-9a-f]{8}-[0-9a-f-]{27}/;
