import { readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Injectable } from '@nestjs/common';
import { selfSigned } from '../admins/certificate-maker.js';
import { Config } from '../config/config.js';
import { readPrivateFile } from '../shared/durable-file.js';
import { KeysteadError, messageOf, needs } from '../shared/errors.js';
import { Secret } from '../shared/secret.js';
import { type AgentAddress, parseAgentAddress } from '../unit-agent/agent-address.js';
import type { Dial } from '../unit-agent/client.js';
import type { KmsUser } from './kms-user.js';
import { AgentsFile } from './unit-descriptor.js';

/** `process-only`: the agent runs under the uid of the server, which contains crashes and no attacker. */
export type Isolation = 'separate' | 'process-only';

/** An agent that runs by itself, as this server's file names it. */
export interface NamedAgent {
  readonly name: string;
  readonly zone: string;
  readonly address: AgentAddress;
}

/**
 * The agents of KEYSTEAD_AGENTS_FILE. The file is read again at every connection, so an agent that moved, or a renewed
 * certificate, needs no restart of the server.
 */
@Injectable()
export class AgentDirectory {
  readonly #certificates = new WeakMap<KmsUser, Promise<string>>();

  constructor(private readonly config: Config) {}

  /** Whether units come from agents that run by themselves. */
  get configured(): boolean {
    return this.config.agentsFile !== undefined;
  }

  /** CONFIG_INVALID when the file is not one, or when the production profile would reach an agent under its own uid. */
  async agents(): Promise<NamedAgent[]> {
    const { agents } = await this.#read();
    const named = agents.map(({ address, ...agent }) => ({ ...agent, address: parseAgentAddress(address) }));
    for (const agent of named) this.#isolation(agent);
    return named;
  }

  /** How the agent is reached, for administrators or for the KMS user, and what protects it from this process. */
  async dial(name: string, user: KmsUser | undefined): Promise<{ dial: Dial; isolation: Isolation }> {
    const agent = (await this.agents()).find((one) => one.name === name);
    needs(
      agent,
      'CONFIG_INVALID',
      `the file of KEYSTEAD_AGENTS_FILE (${this.config.agentsFile ?? 'not set'}) names no agent ${name}; add it there`,
    );
    const { address } = agent;
    const isolation = this.#isolation(agent);
    if (address.kind === 'unix') return { dial: address.path, isolation };
    const { caFile, certFile, keyFile } = (await this.#read()).tls ?? { caFile: '', certFile: '', keyFile: '' };
    const ca = await readFile(caFile, 'utf8');
    const { cert, key } = user === undefined ? ours(certFile, keyFile) : await this.#certificateOf(user);
    return { dial: { host: address.host, port: address.port, ca, cert, key }, isolation };
  }

  async #read(): Promise<AgentsFile> {
    const file = this.config.agentsFile ?? '';
    try {
      return AgentsFile.parse(JSON.parse(await readFile(file, 'utf8')));
    } catch (cause) {
      throw new KeysteadError('CONFIG_INVALID', `the agents file ${file} cannot be used: ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  /** What can be known of it. The uid behind a TLS address cannot: there the operator's word counts. */
  #isolation({ name, address }: NamedAgent): Isolation {
    const isolation = address.kind === 'unix' && isOwn(address.path) ? 'process-only' : 'separate';
    needs(
      isolation === 'separate' || this.config.profile !== 'production',
      'CONFIG_INVALID',
      `KEYSTEAD_PROFILE=production refuses agent ${name}, which runs under the uid of the server, or the server runs as root (isolation: process-only); run each under a user of its own`,
    );
    return isolation;
  }

  /** The KMS identity's key in a self-signed certificate: the agent looks at the key alone. */
  async #certificateOf(user: KmsUser): Promise<{ cert: string; key: string }> {
    const key = user.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    let made = this.#certificates.get(user);
    if (made === undefined) {
      made = certificateOf(user);
      this.#certificates.set(user, made);
    }
    return { cert: await made, key };
  }
}

async function certificateOf({ name, privateKey }: KmsUser): Promise<string> {
  using pkcs8 = new Secret(privateKey.export({ type: 'pkcs8', format: 'der' }));
  return await selfSigned(name, pkcs8, privateKey);
}

function ours(certFile: string, keyFile: string): { cert: string; key: string } {
  const key = readPrivateFile(keyFile)?.toString('utf8');
  needs(
    key,
    'CONFIG_INVALID',
    `the TLS key ${keyFile} must be a file that only its owner can read (mode 0400 or 0600)`,
  );
  return { cert: readFileSync(certFile, 'utf8'), key };
}

/** Whether whoever made the socket, or its directory before there is one, is this user, or this user may be anyone. */
function isOwn(path: string): boolean {
  const uid = process.getuid?.();
  const made = statSync(path, { throwIfNoEntry: false }) ?? statSync(dirname(path), { throwIfNoEntry: false });
  return uid === 0 || made?.uid === uid;
}
