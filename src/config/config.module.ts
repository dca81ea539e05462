import { type DynamicModule, Module } from '@nestjs/common';
import type { Logger } from 'pino';
import { Config } from './config.js';
import { LOG } from './log.js';

@Module({})
class ConfigModule {}

/** Gives every module the Config and the logger (`@Inject(LOG)`). */
export function configModule(config: Config, log: Logger): DynamicModule {
  return {
    module: ConfigModule,
    global: true,
    providers: [
      { provide: Config, useValue: config },
      { provide: LOG, useValue: log },
    ],
    exports: [Config, LOG],
  };
}
