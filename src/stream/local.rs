//! The local backend.

use super::*;

#[derive(Clone)]
pub struct LocalStream {}

impl LocalStream {
    pub async fn append(&self, _entries: Vec<RawFields>) -> Result<Vec<EntryId>, StreamError> {
        todo!()
    }
    pub async fn claim(&self, _consumer: &Consumer, _max: usize, _wait: Duration) -> Result<Vec<Entry>, StreamError> {
        todo!()
    }
    pub async fn rescue(&self, _consumer: &Consumer, _max: usize) -> Result<Vec<Entry>, StreamError> {
        todo!()
    }
    pub async fn renew(&self, _consumer: &Consumer, _keys: &[EntryKey]) -> Result<(), StreamError> {
        todo!()
    }
    pub async fn ack(&self, _consumer: &Consumer, _keys: &[EntryKey]) -> Result<(), StreamError> {
        todo!()
    }
    pub async fn release(&self, _consumer: &Consumer, _keys: &[EntryKey], _how: Release) -> Result<(), StreamError> {
        todo!()
    }
    pub async fn dead_letter(&self, _request: DeadLetterRequest, _now: Timestamp) -> Result<bool, StreamError> {
        todo!()
    }
    pub async fn depth(&self) -> Result<Depth, StreamError> {
        todo!()
    }
    pub async fn consumers(&self) -> Result<Vec<ConsumerInfo>, StreamError> {
        todo!()
    }
    pub async fn forget_consumers(&self, _idle: Duration) -> Result<u64, StreamError> {
        todo!()
    }
    pub async fn dead_letters(&self, _limit: usize, _before: Option<EntryId>) -> Result<Vec<DeadLetter>, StreamError> {
        todo!()
    }
    pub async fn get_dead_letter(&self, _id: EntryId) -> Result<Option<DeadLetter>, StreamError> {
        todo!()
    }
    pub async fn replay_dead_letters(&self, _selection: &DeadLetterSelection) -> Result<u64, StreamError> {
        todo!()
    }
    pub async fn purge_dead_letters(&self, _selection: &DeadLetterSelection) -> Result<u64, StreamError> {
        todo!()
    }
    pub async fn publish_processed(&self, _entries: Vec<RawFields>) -> Result<(), StreamError> {
        todo!()
    }
    pub async fn forget_posts(&self, _posts: &[PostId]) -> Result<(), StreamError> {
        todo!()
    }
    pub async fn trim(&self) -> Result<Option<EntryKey>, StreamError> {
        todo!()
    }
    pub async fn ping(&self) -> Result<(), StreamError> {
        todo!()
    }
}
