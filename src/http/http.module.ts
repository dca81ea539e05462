import { Global, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { CallerGuard } from './caller.guard.js';
import { Draining } from './draining.js';
import { ErrorFilter } from './error.filter.js';
import { TlsCertificate } from './tls-certificate.js';
import { SchemaPipe } from './validation.js';

/** What holds for every route: who asks, what is read, how errors are answered. */
@Global()
@Module({
  providers: [
    Draining,
    TlsCertificate,
    { provide: APP_GUARD, useClass: CallerGuard },
    { provide: APP_PIPE, useClass: SchemaPipe },
    { provide: APP_FILTER, useClass: ErrorFilter },
  ],
  exports: [Draining, TlsCertificate],
})
export class HttpModule {}
