//! Status and receivers.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::Timestamp;
use crate::domain::notify::alertmanager::{Setup, config};
use crate::domain::notify::{InhibitRule, MuteTiming, Receiver, Route, Router};
use crate::http::answer;
use crate::http::auth::{Authorized, Read};
use crate::http::error::ApiError;
use crate::http::notify::managed::all;
use crate::http::state::State;

/// The version of Alertmanager whose API is served. Clients choose their requests according to this version.
const ALERTMANAGER_VERSION: &str = "0.25.0";

/// A status in the format of Alertmanager's API.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertmanagerStatus {
    cluster: ClusterStatus,
    version_info: VersionInfo,
    config: AlertmanagerConfig,
    #[schema(value_type = String, format = DateTime)]
    uptime: Timestamp,
}

/// The cluster status is always `disabled`, because instances of SentiStream coordinate through the database.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ClusterStatus {
    #[schema(example = "disabled")]
    status: &'static str,
    peers: [&'static str; 0],
}

/// `version` is the version of Alertmanager whose API is served, `revision` the version of SentiStream.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionInfo {
    version: &'static str,
    revision: &'static str,
    branch: &'static str,
    build_user: &'static str,
    build_date: &'static str,
    go_version: &'static str,
}

/// The routes, inhibition rules and mute timings as an Alertmanager configuration.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AlertmanagerConfig {
    /// The configuration as JSON, which is valid YAML. Receivers have only names.
    original: String,
}

/// A receiver's name.
#[derive(Clone, Serialize, utoipa::ToSchema)]
pub struct ReceiverName {
    /// The unique name of the receiver.
    pub name: String,
}

/// Alertmanager: status
///
/// `config.original` contains the routing tree, for `amtool config routes`.
#[utoipa::path(get, path = "/api/v2/status", tag = "alertmanager", responses((status = 200, body = AlertmanagerStatus)))]
pub async fn status(_: Authorized<Read>, state: web::Data<State>) -> Result<HttpResponse, ApiError> {
    let specs = Setup {
        receivers: all::<Receiver>(&state).await?.into_iter().map(|stored| stored.spec.name).collect(),
        router: Router::new(all::<Route>(&state).await?.into_iter().map(|stored| stored.spec).collect()),
        inhibit_rules: all::<InhibitRule>(&state).await?.into_iter().map(|stored| stored.spec).collect(),
        mute_timings: all::<MuteTiming>(&state).await?.into_iter().map(|stored| stored.spec).collect(),
    };
    let original = serde_json::to_string_pretty(&config(&specs)).unwrap_or_default();
    answer::json(&AlertmanagerStatus {
        cluster: ClusterStatus { status: "disabled", peers: [] },
        version_info: VersionInfo {
            version: ALERTMANAGER_VERSION,
            revision: concat!("sentistream-", env!("CARGO_PKG_VERSION")),
            branch: "HEAD",
            build_user: "sentistream",
            build_date: "",
            go_version: "",
        },
        config: AlertmanagerConfig { original },
        uptime: state.started,
    })
}

/// Alertmanager: receivers
#[utoipa::path(get, path = "/api/v2/receivers", tag = "alertmanager", responses((status = 200, body = Vec<ReceiverName>)))]
pub async fn receivers(_: Authorized<Read>, state: web::Data<State>, _: HttpRequest) -> Result<HttpResponse, ApiError> {
    let names = all::<Receiver>(&state).await?.into_iter().map(|stored| ReceiverName { name: stored.spec.name });
    answer::json(&names.collect::<Vec<_>>())
}
