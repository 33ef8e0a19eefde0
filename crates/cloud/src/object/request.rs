//! One GET: its tries, and the bucket's region where that is another one.

use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::byte_stream::ByteStream;
use weir_s3::{REGION_HEADER, Refusal, Request, SendError};

use super::Bucket;
use crate::{
    CloudError,
    client::{ATTEMPT_TIMEOUT, ATTEMPTS},
};

/// The first pause after a failed try; doubled each time, so that all tries take about 6 s.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

impl Bucket {
    /// GETs an object (with an empty key: the bucket), again where the fault may pass.
    pub(super) async fn get(
        &mut self,
        action: &str,
        key: &str,
        query: &[(&str, &str)],
    ) -> Result<HttpResponse, CloudError> {
        let mut pause = FIRST_PAUSE;
        let mut moved = false;
        let mut last = None;
        for attempt in 1..=ATTEMPTS {
            let sent = self.0.send(Request { query, ..Request::get(key) });
            let answer = tokio::time::timeout(ATTEMPT_TIMEOUT, sent).await;
            let response = match answer {
                Ok(Ok(response)) if response.status().is_success() => return Ok(response),
                Ok(Ok(response)) => response,
                Ok(Err(error @ (SendError::Credentials(_) | SendError::Request(_)))) => {
                    return Err(CloudError::from_chain(action, &error));
                }
                Ok(Err(error)) => {
                    last = Some(CloudError::from_chain(action, &error));
                    wait(attempt, &mut pause).await;
                    continue;
                }
                Err(_) => {
                    let cause = format!("nothing was answered within {} s", ATTEMPT_TIMEOUT.as_secs());
                    last = Some(CloudError::of(action, cause));
                    wait(attempt, &mut pause).await;
                    continue;
                }
            };
            let elsewhere = response.headers().get(REGION_HEADER).filter(|region| *region != self.0.region());
            if let Some(region) = elsewhere.filter(|_| !moved) {
                self.0.set_region(region);
                moved = true;
                continue;
            }
            let status = response.status().as_u16();
            let refused = refusal(action, status, response).await;
            if !matches!(status, 408 | 429 | 500..) {
                return Err(refused);
            }
            last = Some(refused);
            wait(attempt, &mut pause).await;
        }
        Err(last.unwrap_or_else(|| CloudError::of(action, "it was never tried")))
    }
}

async fn wait(attempt: u32, pause: &mut Duration) {
    if attempt < ATTEMPTS {
        tokio::time::sleep(*pause).await;
        *pause *= 2;
    }
}

/// What the answer says of the fault.
async fn refusal(action: &str, status: u16, response: HttpResponse) -> CloudError {
    let body = tokio::time::timeout(ATTEMPT_TIMEOUT, ByteStream::new(response.into_body()).collect()).await;
    let body = body.ok().and_then(Result::ok).map(|bytes| bytes.to_vec()).unwrap_or_default();
    let said = Refusal::read(&body).map(|refusal| format!("{}: {}", refusal.code, refusal.message));
    CloudError::of(action, said.unwrap_or_else(|| format!("HTTP status {status}")))
}
