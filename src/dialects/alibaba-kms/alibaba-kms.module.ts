import { Module } from '@nestjs/common';
import { AccessKeysModule } from '../../access-keys/access-keys.module.js';
import { AlibabaController } from './alibaba.controller.js';
import { AlibabaAuthentication } from './authentication.js';

/** Alibaba Cloud KMS, 2016-01-20, over the same keys as every other dialect. */
@Module({
  imports: [AccessKeysModule],
  controllers: [AlibabaController],
  providers: [AlibabaAuthentication],
})
export class AlibabaKmsModule {}
