import type { Server } from 'node:https';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Logger } from 'pino';
import { Config } from '../config/config.js';
import { LOG } from '../config/log.js';
import { messageOf } from '../shared/errors.js';
import { watchFiles } from '../shared/renewal.js';
import { readTls, type TlsFiles } from './tls.js';

/**
 * The certificate that the listener shows. A renewed one is taken for new connections, and those that are open stay; one
 * that does not work is refused in the log, and the one before it stays.
 */
@Injectable()
export class TlsCertificate implements OnApplicationBootstrap, OnApplicationShutdown {
  #notAfter: Date | undefined;
  #stop = () => {};

  constructor(
    private readonly config: Config,
    private readonly host: HttpAdapterHost,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /** When it ends; undefined without TLS. */
  get notAfter(): Date | undefined {
    return this.#notAfter;
  }

  onApplicationBootstrap(): void {
    const { tls } = this.config;
    if (tls === undefined) return;
    this.#take(tls);
    const files = [tls.certFile, tls.keyFile, ...(tls.clientCaFile === undefined ? [] : [tls.clientCaFile])];
    this.#stop = watchFiles(files, () => this.#renew(tls));
  }

  onApplicationShutdown(): void {
    this.#stop();
  }

  #take(files: TlsFiles): Date {
    const { options, notAfter } = readTls(files);
    const server: Server = this.host.httpAdapter.getHttpServer();
    server.setSecureContext(options);
    this.#notAfter = notAfter;
    return notAfter;
  }

  #renew(files: TlsFiles): void {
    try {
      this.log.info({ event: 'tls-reloaded', notAfter: this.#take(files).toISOString() });
    } catch (cause) {
      this.log.error({ event: 'tls-not-reloaded', message: `${messageOf(cause)}; the certificate before it stays` });
    }
  }
}
