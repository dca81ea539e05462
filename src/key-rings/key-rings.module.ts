import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { TypeOrmModule } from '@nestjs/typeorm';
import { CreateKeyRingHandler } from './create-key-ring.command.js';
import { DeleteKeyRingHandler } from './delete-key-ring.command.js';
import { KeyRing } from './key-ring.entity.js';
import { ListKeyRingsHandler } from './list-key-rings.query.js';

@Module({
  imports: [CqrsModule, TypeOrmModule.forFeature([KeyRing])],
  providers: [CreateKeyRingHandler, DeleteKeyRingHandler, ListKeyRingsHandler],
})
export class KeyRingsModule {}
