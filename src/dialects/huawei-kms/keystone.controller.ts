import { Controller, Get, Post, Req, Res } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Config } from '../../config/config.js';
import { clientAddress } from '../../http/client-address.js';
import { HTTP_STATUS, type KeysteadError } from '../../shared/errors.js';
import { readBody, readQuery } from './body.js';
import { Identification, type Identity } from './identification.js';
import { catalogOf, domainOf, projectOf, tokenOf, versionOf } from './keystone.js';
import { KeystoneTokens } from './keystone-tokens.js';
import { GatewayRefusal, HuaweiRefusal } from './refusals.js';

const Named = z.object({ id: z.string().optional(), name: z.string().optional() });
const User = Named.extend({ password: z.string() });
const LoginBody = z.object({
  auth: z.object({
    identity: z.object({ methods: z.tuple([z.literal('password')]), password: z.object({ user: User }) }),
    scope: z.object({ project: Named.optional(), domain: Named.optional() }).optional(),
  }),
});
const ByName = z.object({ name: z.string().optional() });

const TITLES: Readonly<Record<number, string>> = { 400: 'Bad Request', 401: 'Unauthorized', 429: 'Too Many Requests' };

/** Keystone's shape of a refusal. */
const REFUSED = {
  answerTo: (error: KeysteadError) => {
    const status = error instanceof HuaweiRefusal ? 400 : HTTP_STATUS[error.code];
    return { status, body: { error: { code: status, message: error.message, title: TITLES[status] ?? 'Error' } } };
  },
};

/** As much of the identity API (Keystone v3) as the vendor's clients ask for: versions, tokens, catalog, projects, domains. */
@Controller()
export class KeystoneController {
  constructor(
    private readonly config: Config,
    private readonly identification: Identification,
    private readonly tokens: KeystoneTokens,
  ) {}

  @Get('v3')
  version() {
    return { version: versionOf(this.config.publicUrl) };
  }

  /** A token for an access key: its id is the name of the user, its secret the password. */
  @Post('v3/auth/tokens')
  @RouteConfig(REFUSED)
  async login(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    const { identity: given, scope = {} } = readBody(LoginBody, request.body as Buffer | undefined).auth;
    const { id, name = id, password } = given.password.user;
    const identity = await this.identification.ofPassword(name ?? '', password, clientAddress(request));
    const project = projectOf(identity.instanceId, scope.project?.name);
    const domain = domainOf(identity.instanceId);
    const isTheirs = (scope.project?.id ?? project.id) === project.id && (scope.domain?.id ?? domain.id) === domain.id;
    if (!isTheirs) throw new GatewayRefusal('token');
    const issued = await this.tokens.issue(identity.accessKeyId);
    reply.status(201).header('X-Subject-Token', issued.token);
    const scoped = scope.domain === undefined ? { project } : { domain };
    return { token: tokenOf(identity, issued, scoped, this.config.publicUrl) };
  }

  @Get('v3/auth/catalog')
  @RouteConfig(REFUSED)
  async catalog(@Req() request: FastifyRequest) {
    const { instanceId } = await this.#who(request);
    return { catalog: catalogOf(instanceId, this.config.publicUrl), links: this.#self('auth/catalog') };
  }

  /** The one project of the access key. Regions are names of projects: it answers to whichever is asked for. */
  @Get(['v3/projects', 'v3/auth/projects'])
  @RouteConfig(REFUSED)
  async projects(@Req() request: FastifyRequest) {
    const { instanceId } = await this.#who(request);
    const { name } = readQuery(ByName, request.originalUrl);
    return { projects: [projectOf(instanceId, name)], links: this.#self('projects') };
  }

  @Get('v3/auth/domains')
  @RouteConfig(REFUSED)
  async domains(@Req() request: FastifyRequest) {
    const { instanceId } = await this.#who(request);
    return { domains: [{ ...domainOf(instanceId), enabled: true }], links: this.#self('auth/domains') };
  }

  #who(request: FastifyRequest): Promise<Identity> {
    return this.identification.ofRequest(request);
  }

  #self(path: string) {
    return { self: `${this.config.publicUrl}/v3/${path}`, previous: null, next: null };
  }
}
