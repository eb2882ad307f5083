//! Code that the endpoints of all managed objects share.

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::domain::FieldError;
use crate::domain::notify::{Managed, Secrets, Stored};
use crate::http::auth::Actor;
use crate::http::error::ApiError;
use crate::http::params::no_params;
use crate::http::state::State;
use crate::http::{answer, body, etag};
use crate::store::notify::{Action, Draft, ManagedChange, Refusal, WithSecrets};

/// The endpoints of objects that have a name and no secrets: list, get, create, update, delete. Their doc comments
/// become the descriptions in the OpenAPI document.
macro_rules! managed_endpoints {
    (
        $spec:ident, $list:ident { $field:ident }, $path:tt, $item:tt,
        list: { $(#[$list_doc:meta])+ }, get: { $(#[$get_doc:meta])+ }, create: { $(#[$create_doc:meta])+ },
        update: { $(#[$update_doc:meta])+ }, delete: { $(#[$delete_doc:meta])+ } $(,)?
    ) => {
        use actix_web::web::Payload;
        use actix_web::{HttpRequest, HttpResponse, web};

        use $crate::domain::notify::{$spec, Stored};
        use $crate::http::auth::{Authorized, Edit, Read};
        use $crate::http::error::{ApiError, Problem};
        use $crate::http::notify::managed::{all, remove, save, show};
        use $crate::http::state::State;

        /// All objects of the kind.
        #[derive(serde::Serialize, utoipa::ToSchema)]
        pub struct $list {
            $field: Vec<Stored<$spec>>,
        }

        $(#[$list_doc])+
        #[utoipa::path(get, path = $path, tag = "notifications", responses((status = 200, body = $list)))]
        pub async fn list(_: Authorized<Read>, state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
            $crate::http::params::no_params(&request)?;
            $crate::http::answer::json(&$list { $field: all(&state).await? })
        }

        $(#[$get_doc])+
        #[utoipa::path(
            get, path = $item, tag = "notifications", params(("id" = i64, Path)),
            responses((status = 200, body = Stored<$spec>), (status = 404, body = Problem))
        )]
        pub async fn get(_: Authorized<Read>, state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
            show::<$spec>(&state, &request).await
        }

        $(#[$create_doc])+
        #[utoipa::path(
            post, path = $path, tag = "notifications", request_body = $spec,
            responses(
                (status = 201, body = Stored<$spec>),
                (status = 409, description = "There are 1,000 objects of this kind", body = Problem),
                (status = 422, body = Problem),
            )
        )]
        pub async fn create(
            _: Authorized<Edit>,
            state: web::Data<State>,
            request: HttpRequest,
            payload: Payload,
        ) -> Result<HttpResponse, ApiError> {
            save::<$spec>(&state, &request, payload).await
        }

        $(#[$update_doc])+
        #[utoipa::path(
            put, path = $item, tag = "notifications", request_body = $spec,
            params(("id" = i64, Path), ("If-Match" = String, Header, description = "The ETag, or `*`")),
            responses(
                (status = 200, body = Stored<$spec>), (status = 404, body = Problem), (status = 409, body = Problem),
                (status = 412, body = Problem), (status = 422, body = Problem), (status = 428, body = Problem),
            )
        )]
        pub async fn update(
            _: Authorized<Edit>,
            state: web::Data<State>,
            request: HttpRequest,
            payload: Payload,
        ) -> Result<HttpResponse, ApiError> {
            save::<$spec>(&state, &request, payload).await
        }

        $(#[$delete_doc])+
        #[utoipa::path(
            delete, path = $item, tag = "notifications",
            params(("id" = i64, Path), ("If-Match" = String, Header, description = "The ETag, or `*`")),
            responses(
                (status = 204), (status = 404, body = Problem), (status = 409, body = Problem),
                (status = 412, body = Problem), (status = 428, body = Problem),
            )
        )]
        pub async fn delete(_: Authorized<Edit>, state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
            remove::<$spec>(&state, &request).await
        }
    };
}

/// The id in the path.
///
/// # Errors
/// 404 when it is not a positive number.
pub fn id(request: &HttpRequest) -> Result<i64, ApiError> {
    let text = request.match_info().get("id").unwrap_or_default();
    text.parse().ok().filter(|id| *id > 0).ok_or_else(|| ApiError::not_found("no object has this id"))
}

/// Returns the validation errors as an error of the API.
///
/// # Errors
/// 422 when there are validation errors.
pub fn checked(errors: Vec<FieldError>) -> Result<(), ApiError> {
    if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid(errors)) }
}

/// All objects of a kind.
///
/// # Errors
/// When the store fails.
pub async fn all<T: Managed>(state: &State) -> Result<Vec<Stored<T>>, ApiError> {
    let store = state.api.store.clone();
    state.run(async move { store.managed::<T>().await }).await
}

/// The object that the path names.
///
/// # Errors
/// 404, or when the store fails.
pub async fn one<T: Managed>(state: &State, request: &HttpRequest) -> Result<WithSecrets<T>, ApiError> {
    let (id, store) = (id(request)?, state.api.store.clone());
    let all = state.run(async move { store.managed_with_secrets::<T>().await }).await?;
    let found = all.into_iter().find(|found| found.stored.id == id);
    found.ok_or_else(|| ApiError::not_found("no object has this id"))
}

/// Applies a change, with the request's client as its author.
///
/// # Errors
/// When the change contradicts the stored objects, or the store fails.
pub async fn change<T: Managed>(
    state: &State,
    request: &HttpRequest,
    action: Action,
) -> Result<Option<WithSecrets<T>>, ApiError> {
    let change = ManagedChange { kind: T::KIND, action, actor: Actor::of(request).0 };
    let store = state.api.store.clone();
    let done = state.run(async move { store.change_managed::<T>(&change).await }).await?;
    done.map_err(|refusal| refused(&refusal, request))
}

/// Writes a `draft` as a new object, or replaces the object in the path if it has the version of `If-Match`.
///
/// # Errors
/// As [`change`].
pub async fn put<T: Managed>(state: &State, request: &HttpRequest, draft: Draft) -> Result<WithSecrets<T>, ApiError> {
    let action = match request.match_info().get("id") {
        None => Action::Create(draft),
        Some(_) => Action::Update { id: id(request)?, version: etag::if_match(request)?, draft },
    };
    let made = change::<T>(state, request, action).await?;
    made.ok_or_else(|| ApiError::internal("the object that was written cannot be read"))
}

/// Responds with the object in the path.
///
/// # Errors
/// As [`one`].
pub async fn show<T: Managed>(state: &State, request: &HttpRequest) -> Result<HttpResponse, ApiError> {
    no_params(request)?;
    let stored = one::<T>(state, request).await?.stored;
    shown(StatusCode::OK, stored.version, &stored)
}

/// Writes the object in the body as a new one, or replaces the one in the path.
///
/// # Errors
/// As [`put`], or when the body is invalid.
pub async fn save<T: Managed>(
    state: &State,
    request: &HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(request)?;
    let mut spec: T = body::json(request, payload, &state.options).await?;
    checked(spec.check())?;
    if request.match_info().get("id").is_some() {
        spec = spec.revised(&one::<T>(state, request).await?.stored.spec);
    }
    let stored = put::<T>(state, request, Draft::of(&spec, Secrets::default())).await?.stored;
    shown(success(request), stored.version, &stored)
}

/// 201 for a new object, otherwise 200.
pub fn success(request: &HttpRequest) -> StatusCode {
    if request.match_info().get("id").is_none() { StatusCode::CREATED } else { StatusCode::OK }
}

/// Deletes the object in the path.
///
/// # Errors
/// As [`change`].
pub async fn remove<T: Managed>(state: &State, request: &HttpRequest) -> Result<HttpResponse, ApiError> {
    no_params(request)?;
    let action = Action::Delete { id: id(request)?, version: etag::if_match(request)? };
    change::<T>(state, request, action).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A response with its ETag.
///
/// # Errors
/// When the response cannot be serialised.
pub fn shown<T: Serialize>(status: StatusCode, version: i64, view: &T) -> Result<HttpResponse, ApiError> {
    Ok(etag::with(answer::json_with(status, view)?, version))
}

fn refused(refusal: &Refusal, request: &HttpRequest) -> ApiError {
    let conflict = || ApiError::new(StatusCode::CONFLICT, refusal.to_string());
    match refusal {
        Refusal::NotFound => ApiError::not_found(format!("there is no object at {}", request.path())),
        Refusal::Changed { .. } => etag::changed(),
        Refusal::Provisioned | Refusal::InUse { .. } | Refusal::Full { .. } => conflict(),
        Refusal::NameTaken => ApiError::invalid_field("name", "is taken by another object"),
        Refusal::NameFixed { name } => ApiError::invalid_field("name", format!("cannot be changed: it is {name:?}")),
        Refusal::Missing { field, name } => ApiError::invalid_field(field, format!("{name:?} does not exist")),
        Refusal::SecondDefault { name } => ApiError::invalid_field(
            "matchers",
            format!("must have at least one matcher: {name:?} is already the default route"),
        ),
        Refusal::Nesting { .. } => ApiError::invalid_field("parent", refusal.to_string()),
    }
}
